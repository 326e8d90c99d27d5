"""An event log in memory with the rules of the real one, for tests of handlers and projections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from application.ports import Appended, AppendRequest
from domain.kernel.aggregate import Aggregate, Recorded
from domain.kernel.errors import NameTaken, VersionConflict
from domain.kernel.events import Envelope
from infrastructure.event_store.reader import Batch

A = TypeVar("A", bound=Aggregate)


class InMemoryEventLog:
    """Implements application.ports.EventLog and the Tail that projections follow."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope[Any]] = []
        self._versions: dict[str, int] = {}
        self._commands: dict[tuple[str, str], Appended] = {}
        self._claims: dict[tuple[str, str, str], str] = {}
        self._news = asyncio.Event()

    async def append(self, request: AppendRequest) -> Appended:
        seen = self._commands.get((request.tenant, request.command_id))
        if seen:
            return Appended(seen.first_position, seen.last_position, duplicate=True)
        versions, claims = self._check(request)
        first = len(self.envelopes) + 1
        for new in request.events:
            version = self._versions[new.stream_id] = self._versions.get(new.stream_id, 0) + 1
            self.envelopes.append(
                Envelope(
                    position=len(self.envelopes) + 1,
                    tenant=request.tenant,
                    stream_id=new.stream_id,
                    version=version,
                    type=new.event.TYPE,
                    schema_version=new.event.SCHEMA_VERSION,
                    recorded_at=datetime.now(UTC),
                    command_id=request.command_id,
                    correlation=request.correlation,
                    actor=request.actor,
                    event=new.event,
                )
            )
        self._versions.update(versions)
        self._claims = claims
        stored = Appended(first, len(self.envelopes))
        self._commands[request.tenant, request.command_id] = stored
        self._news.set()
        return stored

    def _check(self, request: AppendRequest) -> tuple[dict[str, int], dict[tuple[str, str, str], str]]:
        versions: dict[str, int] = {}
        for new in request.events:
            actual = versions.get(new.stream_id, self._versions.get(new.stream_id, 0))
            if new.expected_version not in {None, actual}:
                raise VersionConflict(new.stream_id, new.expected_version or 0, actual)
            versions[new.stream_id] = actual + 1
        claims = dict(self._claims)
        for claim in request.claims:
            key = (request.tenant, claim.scope, claim.name)
            if claim.release:
                if claims.get(key) == claim.holder:
                    del claims[key]
            elif claims.setdefault(key, claim.holder) != claim.holder:
                raise NameTaken(claim.scope, claim.name)
        return versions, claims

    async def load(self, cls: type[A], stream_id: str, *, until: int | None = None) -> A:
        found = [e for e in self.envelopes if e.stream_id == stream_id]
        aggregate = cls.blank(stream_id, found[0].recorded_at if found else datetime.now(UTC))
        for envelope in found:
            if until is not None and envelope.version > until:
                break
            Recorded(stream_id, envelope.version, envelope.recorded_at, envelope.event).mutate(aggregate)
        return aggregate

    async def read_stream(self, stream_id: str, *, after_version: int = 0) -> AsyncIterator[Envelope[Any]]:
        for envelope in list(self.envelopes):
            if envelope.stream_id == stream_id and envelope.version > after_version:
                yield envelope

    async def read(
        self, *, after: int = 0, types: Sequence[str] | None = None, tenant: str | None = None
    ) -> AsyncIterator[Envelope[Any]]:
        for envelope in self.envelopes[after:]:
            if (types is None or envelope.type in types) and tenant in {None, envelope.tenant}:
                yield envelope

    async def head(self) -> int:
        return len(self.envelopes)

    async def read_batch(self, after: int, limit: int, types: Sequence[str] | None = None) -> Batch:
        head = len(self.envelopes)
        found = [e for e in self.envelopes[after:] if types is None or e.type in types][:limit]
        return Batch(found, found[-1].position if len(found) == limit else head, head)

    async def follow(
        self, after: int, *, types: Sequence[str] | None = None, limit: int = 1000
    ) -> AsyncIterator[Batch]:
        while True:
            self._news.clear()
            batch = await self.read_batch(after, limit, types)
            after = batch.upto
            yield batch
            if after >= batch.head:
                await self._news.wait()
