"""Counts billable usage in cells by block of the log, quarter of an hour and model.

A correction of usage adds the difference to the quarter in which the request began, in its own block, and so
becomes part of an open period or adjusts a closed one. `application.billing.derivation` yields the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from domain.billing.metering import Cell, block_of, cell_of, corrected_cell_of, is_billable
from domain.kernel.events import Envelope, Event
from domain.kernel.request_record import RequestRecorded
from domain.kernel.usage_correction import UsageCorrected
from projections.billing.tables import billing_cells
from projections.ops import Add, RowOp
from projections.projection import Handler, Projection


def request_recorded(envelope: Envelope[RequestRecorded]) -> Iterable[RowOp]:
    """Count a request, unless it was refused before any provider was called."""
    if is_billable(envelope.event):
        yield counted(envelope, cell_of(envelope.event))


def usage_corrected(envelope: Envelope[UsageCorrected]) -> Iterable[RowOp]:
    """Count what a correction adds to the request that it names."""
    yield counted(envelope, corrected_cell_of(envelope.event))


def counted(envelope: Envelope[Any], cell: Cell) -> Add:
    """Return what adds a cell in the block of the event that it comes from."""
    key = (envelope.tenant, block_of(envelope.position), cell.quarter, cell.model)
    return Add(billing_cells, [key], msgspec.structs.asdict(cell.amounts))


HANDLERS: Mapping[type[Event], Handler] = {
    RequestRecorded: request_recorded,
    UsageCorrected: usage_corrected,
}

BILLING_USAGE = Projection(name="billing_usage", version=2, tables=(billing_cells,), handlers=HANDLERS)
