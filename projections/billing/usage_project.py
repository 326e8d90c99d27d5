"""Counts billable usage in cells by block of the log, quarter of an hour and model.

Corrections of usage belong here too: an event that names a request adds the difference to the quarter in
which that request began, in its own block, and so becomes part of an open period or adjusts a closed one.
`application.billing.derivation` must then yield the same cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from domain.billing.metering import Cell, block_of, cell_of, is_billable
from domain.kernel.events import Envelope, Event
from domain.kernel.request_record import RequestRecorded
from projections.billing.tables import billing_cells
from projections.ops import Add, RowOp
from projections.projection import Handler, Projection


def request_recorded(envelope: Envelope[RequestRecorded]) -> Iterable[RowOp]:
    """Count a request, unless it was refused before any provider was called."""
    if is_billable(envelope.event):
        yield counted(envelope, cell_of(envelope.event))


def counted(envelope: Envelope[Any], cell: Cell) -> Add:
    """Return what adds a cell in the block of the event that it comes from."""
    key = (envelope.tenant, block_of(envelope.position), cell.quarter, cell.model)
    return Add(billing_cells, [key], msgspec.structs.asdict(cell.amounts))


HANDLERS: Mapping[type[Event], Handler] = {RequestRecorded: request_recorded}

BILLING_USAGE = Projection(name="billing_usage", version=1, tables=(billing_cells,), handlers=HANDLERS)
