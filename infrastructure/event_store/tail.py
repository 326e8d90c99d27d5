"""Follows the log: LISTEN first, then pull, and a poll in case a notification is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection, Error, sql
from psycopg.conninfo import make_conninfo

from domain.kernel.errors import Unavailable
from domain.kernel.events import Envelope
from infrastructure.database.notifications import notifications
from infrastructure.ending import end
from infrastructure.event_store.reader import Batch, LogReader
from infrastructure.event_store.statements import LOG_CHANNEL

POLL_S = 1.0
RECONNECT_S = 0.25


class Doorbell:
    """One LISTEN connection that rings for every task of this process that waits on a channel.

    A lost connection is opened again; meanwhile the waiters' own polls go on, so nothing depends on it.
    `name` is the connection's application name, so others see in `pg_stat_activity` whether it lives;
    `session` counts connections, and is 0 while there is none.
    """

    def __init__(self, dsn: str, channel: str = LOG_CHANNEL) -> None:
        self.name = f"aios-listen-{uuid4().hex}"
        self.session = 0
        self._dsn = make_conninfo(dsn, application_name=self.name)
        self._channel = channel
        self._bells: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    async def start(self) -> None:
        """Begin to listen; returns once LISTEN is in force or the database has had two seconds."""
        self._task = asyncio.create_task(self._run(), name=f"listen-{self._channel}")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._listening.wait(), 2.0)

    async def listening(self, timeout_s: float) -> None:
        """Return once LISTEN is in force. Raises Unavailable when that takes too long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._listening.wait()
        except TimeoutError:
            raise Unavailable("database", "the event log's notifications cannot be heard", 1.0) from None

    async def close(self) -> None:
        """Stop listening."""
        await end(self._task)

    @contextlib.contextmanager
    def bell(self) -> Iterator[asyncio.Event]:
        """Lend an event that is set at every notification; the holder clears it."""
        bell = asyncio.Event()
        self._bells.add(bell)
        try:
            yield bell
        finally:
            self._bells.discard(bell)

    async def at_each_ring(self, action: Callable[[], None]) -> None:
        """Do something at every notification, until cancelled."""
        with self.bell() as bell:
            while True:
                await bell.wait()
                bell.clear()
                action()

    async def _run(self) -> None:
        sessions = 0
        while True:
            sessions += 1
            try:
                async with await AsyncConnection.connect(self._dsn, autocommit=True) as conn:
                    await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
                    self.session = sessions
                    self._listening.set()
                    self._ring()
                    async with aclosing(notifications(conn)) as heard:
                        async for _ in heard:
                            self._ring()
            except Error:
                pass  # the database is away; it is tried again below
            finally:
                self.session = 0
            await asyncio.sleep(RECONNECT_S)

    def _ring(self) -> None:
        for bell in self._bells:
            bell.set()


class Tail:
    """A cursor over the log that never ends; reading and waiting are separate so that tests can do either."""

    def __init__(self, reader: LogReader, doorbell: Doorbell, poll_s: float = POLL_S) -> None:
        self._reader = reader
        self._doorbell = doorbell
        self._poll_s = poll_s

    async def head(self) -> int:
        """Return the position of the newest event."""
        return await self._reader.head()

    async def at(self, position: int) -> Envelope[Any] | None:
        """Return the event at a position, None beyond the end of the log."""
        batch = await self.read_batch(position - 1, 1)
        return batch.events[0] if batch.events else None

    async def read_batch(self, after: int, limit: int, types: Sequence[str] | None = None) -> Batch:
        """Return up to `limit` events after a position, without waiting."""
        return await self._reader.read_batch(after, limit, types)

    async def follow(
        self, after: int, *, types: Sequence[str] | None = None, limit: int = 1000
    ) -> AsyncGenerator[Batch, None]:
        """Yield batches for ever, an empty one at each idle poll; waits while the database is away."""
        with self._doorbell.bell() as bell:
            while True:
                bell.clear()
                try:
                    batch = await self._reader.read_batch(after, limit, types)
                except Unavailable:
                    await asyncio.sleep(self._poll_s)
                    continue
                after = batch.upto
                yield batch
                if after >= batch.head:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._poll_s):
                            await bell.wait()
