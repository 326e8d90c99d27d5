"""Derives usage from the log alone, event by event: what read models must agree with to the last token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any

from application.ports import EventLog
from domain.billing.drafting import Usage
from domain.billing.metering import Amounts, Cell, by_model, cell_of, corrected_cell_of, is_billable
from domain.kernel.events import Envelope
from domain.kernel.request_record import RequestRecorded
from domain.kernel.usage_correction import UsageCorrected
from domain.kernel.values import Period

TYPES = (RequestRecorded.TYPE, UsageCorrected.TYPE)
"""Event types that change usage."""


def metered(envelope: Envelope[Any]) -> Iterator[Cell]:
    """Return the cells that one event adds to."""
    event = envelope.event
    if isinstance(event, RequestRecorded) and is_billable(event):
        yield cell_of(event)
    elif isinstance(event, UsageCorrected):
        yield corrected_cell_of(event)


async def cells_between(log: EventLog, tenant: str, after: int, upto: int) -> AsyncIterator[Cell]:
    """Yield the usage of a tenant's events after one position and up to another."""
    async for envelope in log.read(after=after, types=TYPES, tenant=tenant):
        if envelope.position > upto:
            return
        for cell in metered(envelope):
            yield cell


async def derive_usage(
    log: EventLog, tenant: str, period: Period, *, upto: int, late_before: datetime | None, after: int
) -> Usage:
    """Return what `UsageBook.usage` does, by reading every event of the tenant up to a position."""
    own: dict[str, Amounts] = {}
    late: list[Cell] = []
    async for envelope in log.read(types=TYPES, tenant=tenant):
        if envelope.position > upto:
            break
        for cell in metered(envelope):
            if cell.quarter is None:
                continue
            if period.holds(cell.quarter):
                own[cell.model] = own.get(cell.model, Amounts()) + cell.amounts
            elif late_before is not None and cell.quarter < late_before and envelope.position > after:
                late.append(cell)
    return Usage(as_of_position=upto, own=by_model(_cells(own)), late=late)


def _cells(sums: dict[str, Amounts]) -> Iterator[Cell]:
    return (Cell(model=model, amounts=amounts) for model, amounts in sums.items())
