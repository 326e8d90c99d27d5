"""The event log as the application sees it: append through the group committer, load through snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from application.ports import Appended, AppendRequest
from domain.kernel.aggregate import Aggregate, Recorded
from domain.kernel.errors import AiosError
from domain.kernel.events import Envelope
from infrastructure.event_store import snapshots
from infrastructure.event_store.committer import GroupCommitter
from infrastructure.event_store.reader import LogReader
from infrastructure.keyring.keyring import Keyring

A = TypeVar("A", bound=Aggregate)
PAGE = 1000


class PostgresEventLog:
    """Implements `application.ports.EventLog` on PostgreSQL."""

    def __init__(self, committer: GroupCommitter, reader: LogReader, keyring: Keyring) -> None:
        self._committer = committer
        self._reader = reader
        self._keyring = keyring
        self._background: set[asyncio.Task[None]] = set()

    def append(self, request: AppendRequest) -> Coroutine[Any, Any, Appended]:
        """Store one command's events; see GroupCommitter.append."""
        return self._committer.append(request)

    async def load(self, cls: type[A], stream_id: str, *, until: int | None = None) -> A:
        """Return an aggregate, from its snapshot where that helps; blank when it has no events.

        A long replay leaves a snapshot behind, in the background.
        """
        aggregate: A | None = None
        if until is None and snapshots.shape_of(cls) is not None:
            async with self._reader.connection() as conn:
                aggregate = await snapshots.restore(conn, self._keyring, cls, stream_id)
        replayed = 0
        start = aggregate.version if aggregate is not None else 0
        async for envelope in self.read_stream(stream_id, after_version=start):
            if until is not None and envelope.version > until:
                break
            if aggregate is None:
                aggregate = cls.blank(stream_id, envelope.recorded_at)
            Recorded(stream_id, envelope.version, envelope.recorded_at, envelope.event).mutate(aggregate)
            replayed += 1
        if aggregate is None:
            return cls.blank(stream_id, datetime.now(UTC))
        if until is None and replayed >= cls.SNAPSHOT_EVERY:
            self._snapshot_later(snapshots.capture(aggregate))
        return aggregate

    async def read_stream(self, stream_id: str, *, after_version: int = 0) -> AsyncIterator[Envelope[Any]]:
        """Yield a stream's events after a version, oldest first."""
        while True:
            page = await self._reader.read_stream(stream_id, after_version, PAGE)
            for envelope in page:
                yield envelope
            if len(page) < PAGE:
                return
            after_version = page[-1].version

    async def read(
        self, *, after: int = 0, types: Sequence[str] | None = None, tenant: str | None = None
    ) -> AsyncIterator[Envelope[Any]]:
        """Yield events after a position up to the end of the log as it is when the reading gets there."""
        while True:
            batch = await self._reader.read_batch(after, PAGE, types, tenant)
            for envelope in batch.events:
                yield envelope
            after = batch.upto
            if after >= batch.head:
                return

    async def head(self) -> int:
        """Return the position of the newest event, 0 for an empty log."""
        return await self._reader.head()

    def _snapshot_later(self, snapshot: snapshots.Captured | None) -> None:
        if snapshot is None:
            return
        task = asyncio.create_task(self._snapshot(snapshot), name="snapshot")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _snapshot(self, snapshot: snapshots.Captured) -> None:
        try:
            async with self._reader.connection() as conn:
                await snapshots.save(conn, self._keyring, snapshot)
        except AiosError:
            return  # a snapshot is only a short cut; the next long replay tries again
