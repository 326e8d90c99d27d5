"""Enqueues the jobs that events ask for: the log is the outbox, so no job is lost between commit and enqueue.

Any number of processes may run it; one works, the others wait for its lock. It enqueues first and moves its
cursor after, so a crash in between repeats an enqueue, which workers notice. Jobs that are not done in time,
or were in a Redis that has been started anew since, are enqueued again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from psycopg import AsyncConnection, Error

from domain.kernel.errors import Unavailable
from domain.kernel.events import Envelope
from infrastructure.event_store.tail import Tail
from infrastructure.jobs.connections import lasting_connection
from infrastructure.jobs.inbox import PAGE, forget_done, hand_over, take_overdue
from infrastructure.jobs.job import JobRef
from infrastructure.jobs.locks import try_lock

Routes = Mapping[str, Callable[[Envelope[Any]], Iterable[str]]]
"""By event type: the names of the jobs that an event asks for."""


def merged(*every: Routes) -> Routes:
    """Return routes of which an event takes all that were made for its type."""
    names = {
        name: [routes[name] for routes in every if name in routes] for routes in every for name in routes
    }

    def all_of(routes: Sequence[Callable[[Envelope[Any]], Iterable[str]]]) -> Callable[..., Iterable[str]]:
        return lambda envelope: [job for route in routes for job in route(envelope)]

    return {name: all_of(routes) for name, routes in names.items()}


FORGET_EVERY_S = 3600.0
logger = logging.getLogger(__name__)

_CURSOR = """
INSERT INTO outbox_cursors (name, position) VALUES (%s, 0)
ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING position, queue_id
"""
_ADVANCE = """
UPDATE outbox_cursors SET position = %s, moved_at = now() WHERE name = %s AND position = %s RETURNING 1
"""
_NEW_QUEUE = "UPDATE outbox_cursors SET queue_id = %s WHERE name = %s"


class Queue(Protocol):
    """Where jobs go. Both methods raise Unavailable when the queue does not answer."""

    async def enqueue(self, refs: Sequence[JobRef]) -> None: ...

    async def server_id(self) -> str:
        """Return what tells one life of the queue's server from the next."""
        ...


class _LostLead(Exception):
    """Another process moved the cursor; this one must begin anew."""


@dataclass(frozen=True)
class OutboxPace:
    """Seconds: between two tries to lead, two sweeps, two moves of the cursor past events without jobs."""

    standby_s: float = 1.0
    sweep_s: float = 5.0
    idle_move_s: float = 5.0
    batch: int = 500


class Outbox:
    """Follows the log from a durable cursor for ever. `dsn` connects as `aios_system`."""

    def __init__(
        self,
        dsn: str,
        tail: Tail,
        queue: Queue,
        routes: Routes,
        *,
        name: str = "jobs",
        pace: OutboxPace | None = None,
    ) -> None:
        self._dsn = dsn
        self._tail = tail
        self._queue = queue
        self._routes = routes
        self._name = name
        self._pace = pace or OutboxPace()
        self._position = 0
        self._queue_id = ""
        self._moved = self._swept = self._forgot = float("-inf")

    async def run(self) -> None:
        """Lead whenever nobody else does; goes on after the database or Redis were away."""
        while True:
            try:
                async with await lasting_connection(self._dsn, "aios-outbox") as conn:
                    await self._lead(conn)
            except (Error, Unavailable, _LostLead) as error:
                logger.warning("outbox: %s; beginning anew", error)
            await asyncio.sleep(self._pace.standby_s)

    async def _lead(self, conn: AsyncConnection) -> None:
        await self._wait_for_lead(conn)
        row = await (await conn.execute(_CURSOR, [self._name])).fetchone()
        self._position, self._queue_id = row if row else (0, "")
        await self._sweep(conn)
        types = sorted(self._routes)
        async for batch in self._tail.follow(self._position, types=types, limit=self._pace.batch):
            refs = [ref for envelope in batch.events for ref in self._asked_for(envelope)]
            if refs:
                await self._queue.enqueue(refs)
            await self._move(conn, batch.upto, refs)
            await self._sweep(conn)

    async def _wait_for_lead(self, conn: AsyncConnection) -> None:
        while True:
            if await try_lock(conn, f"outbox:{self._name}"):
                return
            await asyncio.sleep(self._pace.standby_s)

    def _asked_for(self, envelope: Envelope[Any]) -> list[JobRef]:
        try:
            names = list(self._routes[envelope.type](envelope))
        except Exception:
            logger.exception("outbox: event %d asks for a job in a way unknown here", envelope.position)
            return []
        return [JobRef(name, envelope.position, envelope.correlation) for name in names]

    async def _move(self, conn: AsyncConnection, upto: int, refs: Sequence[JobRef]) -> None:
        """Record what was enqueued, and the position; events without jobs need no commit of their own."""
        now = time.monotonic()
        if upto == self._position or not (refs or now - self._moved > self._pace.idle_move_s):
            return
        async with conn.transaction():
            await hand_over(conn, refs)
            moved = await conn.execute(_ADVANCE, [upto, self._name, self._position])
            if await moved.fetchone() is None:
                raise _LostLead("another process has the lead")
        self._position, self._moved = upto, now

    async def _sweep(self, conn: AsyncConnection) -> None:
        """Enqueue again what got lost; asking the database also tells whether the lead still holds."""
        now = time.monotonic()
        if now - self._swept < self._pace.sweep_s:
            return
        server = await self._queue.server_id()
        if server != self._queue_id:
            await self._renew(conn, server)
        async with conn.transaction():
            overdue = await take_overdue(conn)
            await self._queue.enqueue(overdue)
        if now - self._forgot > FORGET_EVERY_S:
            await forget_done(conn)
            self._forgot = now
        self._swept = now

    async def _renew(self, conn: AsyncConnection, server: str) -> None:
        """Enqueue all that is not done: a server that was started anew may have lost its last second."""
        row = await (await conn.execute("SELECT now()")).fetchone()
        enqueued = PAGE
        while enqueued == PAGE:
            async with conn.transaction():
                open_jobs = await take_overdue(conn, row[0] if row else None)
                await self._queue.enqueue(open_jobs)
            enqueued = len(open_jobs)
        await conn.execute(_NEW_QUEUE, [server, self._name])
        self._queue_id = server
