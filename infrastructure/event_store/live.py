"""Keeps the in-memory state of an API process (keys, policies, providers) equal to the log.

Every process folds the control events of the log and says in `nodes` how far it got. A command that changed
control state waits until every living process got there, so a revoked key is refused everywhere at once.

A process lives while the database has its listening session and it reported lately. One that was killed is
thus waited for no longer; in return, a process that lost its session decides nothing until it has another
one and has read the log since.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from domain.kernel.errors import Unavailable
from domain.kernel.events import Envelope
from infrastructure.ending import end
from infrastructure.event_store.reader import LogReader
from infrastructure.event_store.tail import Doorbell

BATCH = 2000
HEARTBEAT_S = 2.0
DEAD_AFTER_S = 10.0
Fold = Callable[[Envelope[Any]], None]

REPORT = """
INSERT INTO nodes (node_id, applied, seen_at) VALUES (%s, %s, now())
ON CONFLICT (node_id) DO UPDATE SET applied = excluded.applied, seen_at = excluded.seen_at
"""
LAGGING = """
SELECT count(*) FROM nodes n
WHERE n.applied < %s AND n.seen_at > now() - make_interval(secs => %s)
  AND EXISTS (SELECT FROM pg_stat_activity a WHERE a.application_name = n.node_id)
"""
FORGET_DEAD = """
DELETE FROM nodes n WHERE n.seen_at < now() - make_interval(secs => %s)
  AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.application_name = n.node_id)
"""


class LiveState:
    """Follows control events; `folds` receive each one, in log order, in this process's event loop."""

    def __init__(
        self, reader: LogReader, doorbell: Doorbell, types: Sequence[str], folds: Sequence[Fold]
    ) -> None:
        self._reader = reader
        self._doorbell = doorbell
        self._types = list(types)
        self._folds = folds
        self._applied = 0
        self._session = 0
        self._last_control = 0
        self._pulling = asyncio.Lock()
        self._seen = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def fresh(self) -> bool:
        """Tell whether the log was reached lately enough for this process to decide from memory."""
        session = self._doorbell.session
        return session > 0 and session == self._session and time.monotonic() - self._seen < DEAD_AFTER_S

    @property
    def applied(self) -> int:
        """Return the position up to which control events are applied here."""
        return self._applied

    async def start(self) -> None:
        """Fold everything so far, then keep following. Raises Unavailable when the log cannot be read."""
        async with self._reader.connection() as conn:
            await conn.execute(FORGET_DEAD, [DEAD_AFTER_S])
        await self._report()
        await self._doorbell.listening(DEAD_AFTER_S)
        await self._pull()
        await self._report()
        self._task = asyncio.create_task(self._run(), name="live-state")

    async def close(self) -> None:
        """Stop following and leave the list of nodes."""
        await end(self._task)
        with contextlib.suppress(Unavailable):
            async with self._reader.connection() as conn:
                await conn.execute("DELETE FROM nodes WHERE node_id = %s", [self._doorbell.name])

    async def everywhere(self, position: int, timeout_s: float = 5.0) -> bool:
        """Wait until every living process has applied the control events up to a position.

        Returns False when one did not within the time; it then refuses to decide from memory before long.
        """
        deadline = time.monotonic() + timeout_s
        await self._pull()
        needed = min(position, self._last_control)
        delay = 0.002
        while await self._lagging(needed):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(delay)
            delay = min(delay * 2, 0.1)
        return True

    async def _lagging(self, position: int) -> bool:
        if position == 0:
            return False
        async with self._reader.connection() as conn:
            cursor = await conn.execute(LAGGING, [position, DEAD_AFTER_S])
            return bool((await cursor.fetchall())[0][0])

    async def _run(self) -> None:
        with self._doorbell.bell() as bell:
            beat = time.monotonic()
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT_S / 2):  # wait_for may swallow a cancellation
                        await bell.wait()
                rang = bell.is_set()
                bell.clear()
                try:
                    changed = await self._pull()
                    if changed or rang or time.monotonic() - beat > HEARTBEAT_S:
                        await self._report()
                        beat = time.monotonic()
                except Unavailable:
                    continue

    async def _pull(self) -> bool:
        changed = False
        async with self._pulling:
            session = self._doorbell.session
            while True:
                batch = await self._reader.read_batch(self._applied, BATCH, self._types)
                for envelope in batch.events:
                    for fold in self._folds:
                        fold(envelope)
                    self._last_control = envelope.position
                    changed = True
                self._applied = batch.upto
                self._seen = time.monotonic()
                if batch.upto >= batch.head:
                    break
            self._session = session
        if changed and self._task:
            await self._report()
        return changed

    async def _report(self) -> None:
        async with self._reader.connection() as conn:
            await conn.execute(REPORT, [self._doorbell.name, self._applied])
