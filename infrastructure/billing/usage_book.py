"""Implements `UsageBook`: cells from the read model, and the events of at most two blocks from the log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from application.billing.derivation import cells_between
from application.ports import EventLog
from domain.billing.drafting import Usage
from domain.billing.metering import Cell, by_model, first_of
from domain.kernel.errors import Unavailable
from domain.kernel.values import Period
from infrastructure.event_store.tail import Tail
from projections.billing import usage_queries
from projections.billing.usage_queries import Cells

Reading = Callable[[str], AbstractAsyncContextManager[AsyncConnection]]


class ProjectedUsage:
    """`reading(tenant)` lends connections on which the tenant's usage can be read."""

    def __init__(self, log: EventLog, tail: Tail, reading: Reading) -> None:
        self._log = log
        self._tail = tail
        self._reading = reading

    async def position(self) -> int:
        """Return the position up to which usage is counted."""
        async with self._reading("") as conn:
            return await usage_queries.position(conn)

    async def position_at(self, at: datetime) -> int:
        """Return the position of the last event recorded up to a time: positions are in order of time."""
        head, found = await self._tail.head(), 0
        for bit in reversed(range(head.bit_length())):
            there = found | 1 << bit
            recorded = await self.recorded_at(there) if there <= head else None
            if recorded is not None and recorded <= at:
                found = there
        return found

    async def recorded_at(self, position: int) -> datetime | None:
        """Return when an event was recorded, None beyond the end of the log."""
        batch = await self._tail.read_batch(position - 1, 1)
        return batch.events[0].recorded_at if batch.events else None

    async def usage(
        self, tenant: str, period: Period, *, upto: int, late_before: datetime | None, after: int
    ) -> Usage:
        """Return usage exact as of a position. Raises Unavailable when that is not counted yet."""
        late = Cells([])
        async with self._reading(tenant) as conn:
            if await usage_queries.position(conn) < upto:
                raise Unavailable("projections", "usage up to that position is not counted yet", 1.0)
            own = await usage_queries.usage_of_period(conn, tenant, period, upto)
            if late_before is not None:
                late = await usage_queries.usage_recorded_late(conn, tenant, late_before, after, upto)
        own_edge = [
            cell async for cell in self._edge(tenant, own, 0, upto) if _began(cell, period.start, period.end)
        ]
        late_edge = [
            cell async for cell in self._edge(tenant, late, after, upto) if _began(cell, None, late_before)
        ]
        return Usage(
            as_of_position=upto, own=by_model([*own.cells, *own_edge]), late=[*late.cells, *late_edge]
        )

    async def _edge(self, tenant: str, cells: Cells, after: int, upto: int) -> AsyncIterator[Cell]:
        for block in cells.edges:
            low, high = max(after, first_of(block) - 1), min(upto, first_of(block + 1) - 1)
            async for cell in cells_between(self._log, tenant, low, high):
                yield cell


def _began(cell: Cell, start: datetime | None, end: datetime | None) -> bool:
    at = cell.quarter
    return at is not None and (start is None or at >= start) and (end is None or at < end)
