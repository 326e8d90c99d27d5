"""Writes the audit log of memory operations: at once for those that change or hand out, soon for reads.

Reads and searches of a moment share an event, appended within a tenth of a second after them and before the
process ends; a process that is killed loses those of its last moment. What changes memory stands in its own
events besides, so it is never lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from uuid import uuid4

from application.ports import AppendRequest, NewEvent
from domain.kernel.errors import Unavailable
from domain.memory.access_events import Access, MemoryAccessed, access_stream

LINGER_S = 0.1
LONGEST_END_S = 5.0
MOST_WAITING = 20_000
CHUNK = 500
ACTOR = "system/memory-audit"
Append = Callable[[AppendRequest], Awaitable[object]]
logger = logging.getLogger(__name__)


class AccessLog:
    """Collects operations by tenant; `start` it inside the event loop and `close` it before the log."""

    def __init__(self, append: Append) -> None:
        self._append = append
        self._waiting: defaultdict[str, list[Access]] = defaultdict(list)
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        self._flushing = asyncio.Lock()
        self._closing = False
        self._wake = asyncio.Event()

    def start(self) -> None:
        """Begin to write in the background."""
        self._task = asyncio.create_task(self._run(), name="memory-audit")

    async def close(self) -> None:
        """Write what is waiting, and stop."""
        if self._task is None:
            return
        self._closing = True
        self._wake.set()
        await asyncio.wait([self._task], timeout=LONGEST_END_S)
        self._task.cancel()
        if self._count:
            logger.error("memory audit: %d operations were not written", self._count)

    def note(self, tenant: str, operation: Access) -> None:
        """Keep an operation for the next event. Raises Unavailable when too many wait to be written."""
        if self._count >= MOST_WAITING:
            raise Unavailable("database", "the audit log cannot be written; nothing is read unaudited", 1.0)
        self._waiting[tenant].append(operation)
        self._count += 1
        self._wake.set()

    async def write(self, tenant: str, operation: Access) -> None:
        """Write an operation; durable when this returns. Raises Unavailable."""
        await self._store(tenant, (operation,))

    async def flush(self) -> None:
        """Write everything that waits. Raises Unavailable, and then keeps what was not written."""
        async with self._flushing:
            for tenant in list(self._waiting):
                while waiting := self._waiting[tenant]:
                    chunk = tuple(waiting[:CHUNK])
                    await self._store(tenant, chunk)
                    del waiting[: len(chunk)]
                    self._count -= len(chunk)
                del self._waiting[tenant]

    async def _run(self) -> None:
        while not (self._closing and self._count == 0):
            await self._wake.wait()
            await asyncio.sleep(0.0 if self._closing else LINGER_S)
            self._wake.clear()
            try:
                await self.flush()
            except Unavailable as error:
                logger.warning("memory audit: %s; trying again", error.message)
                await asyncio.sleep(1.0)
                self._wake.set()

    async def _store(self, tenant: str, operations: tuple[Access, ...]) -> None:
        stream = access_stream(tenant, operations[0].at)
        await self._append(
            AppendRequest(
                tenant=tenant,
                command_id=f"access-{uuid4().hex}",
                events=(NewEvent(stream, MemoryAccessed(operations=operations)),),
                actor=ACTOR,
            )
        )
