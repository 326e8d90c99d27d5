"""Measures, on searches of real use, how much of what exact search finds the vector index finds."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec
import structlog
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from application.ports import Appended, AppendRequest, NewEvent
from domain.kernel.aggregate import stream_id
from domain.kernel.errors import AiosError
from domain.memory.events import RecallMeasured
from domain.memory.fusion import Ranking
from projections.memory.search import Vector, by_meaning
from projections.memory.tables import memory_vectors

BEST = 10
EVERY_S = 60.0
MOST_TENANTS = 1000
_SAME = 1e-6
log = structlog.get_logger("memory.recall")


class Asked(msgspec.Struct, frozen=True):
    """A search: its vector, if one was made, and what a memory must meet; `filtered` when that is much."""

    tenant: str
    vector: Vector | None
    conditions: Sequence[ColumnElement[bool]]
    filtered: bool


class RecallWatch:
    """Repeats a search through the index exactly, at most once a minute and tenant, one at a time.

    `observe(found, expected)` sees each measurement; the log keeps it.
    """

    def __init__(
        self,
        reading: Callable[[str], AbstractAsyncContextManager[AsyncConnection]],
        append: Callable[[AppendRequest], Awaitable[Appended]],
        clock: Callable[[], datetime],
        observe: Callable[[int, int], None],
    ) -> None:
        self._reading = reading
        self._append = append
        self._clock = clock
        self._observe = observe
        self._measured: OrderedDict[str, float] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def notice(self, asked: Asked) -> None:
        """Measure this search in the background, when it is time to."""
        now = time.monotonic()
        busy = self._task is not None and not self._task.done()
        if busy or now - self._measured.get(asked.tenant, -EVERY_S) < EVERY_S:
            return
        self._measured[asked.tenant] = now
        if len(self._measured) > MOST_TENANTS:
            self._measured.popitem(last=False)
        self._task = asyncio.create_task(self._quietly(asked))

    async def close(self) -> None:
        """Give up what is being measured."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _quietly(self, asked: Asked) -> None:
        try:
            if asked.vector is not None:
                await self.measure(asked, asked.vector)
        except (AiosError, SQLAlchemyError) as error:
            log.warning("recall not measured", reason=type(error).__name__)

    async def measure(self, asked: Asked, vector: Vector) -> RecallMeasured:
        """Compare the best ten of the index with the best ten there are, and store the result."""
        async with self._reading(asked.tenant) as conn:
            total = await conn.execute(select(func.count()).where(memory_vectors.c.tenant == asked.tenant))
            through, index_ms = await _timed(conn, asked, vector, exact=False)
        async with self._reading(asked.tenant) as conn:
            exactly, exact_ms = await _timed(conn, asked, vector, exact=True)
        event = RecallMeasured(
            measured_at=self._clock(),
            model=vector.model,
            memories=total.scalar_one(),
            expected=len(exactly),
            found=_overlap(through, exactly),
            index_ms=index_ms,
            exact_ms=exact_ms,
        )
        await self._append(_request(asked.tenant, event))
        self._observe(event.found, event.expected)
        return event


async def _timed(
    conn: AsyncConnection, asked: Asked, vector: Vector, *, exact: bool
) -> tuple[Ranking, float]:
    started = time.perf_counter()
    found = await by_meaning(
        conn, asked.tenant, vector, asked.conditions, BEST, exact=exact, filtered=asked.filtered
    )
    return found, round((time.perf_counter() - started) * 1000, 3)


def _overlap(through: Ranking, exactly: Ranking) -> int:
    """Count what the index found that is as near as the farthest of the exact ones; equals count alike."""
    if not exactly:
        return 0
    farthest = exactly[-1][1] - _SAME
    return min(len(exactly), sum(similarity >= farthest for _, similarity in through))


def _request(tenant: str, event: RecallMeasured) -> AppendRequest:
    stream = stream_id(tenant, "memory-recall", f"{event.measured_at:%Y-%m}")
    facts: tuple[Any, ...] = (NewEvent(stream, event),)
    return AppendRequest(
        tenant=tenant, command_id=f"recall/{uuid4()}", events=facts, actor="system/memory-recall"
    )
