"""Reads metered usage from cells, exact as of a position of the log but for one block at each end.

`Cells.edges` names the blocks that hold events beyond the asked positions too; whoever asks reads those
events from the log instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Row, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.billing.metering import AMOUNTS, Amounts, Cell, block_of
from domain.kernel.values import Period
from projections.billing.tables import billing_cells
from projections.checkpoints import as_of

PROJECTION = "billing_usage"
_c = billing_cells.c


class Cells(msgspec.Struct, frozen=True):
    """Usage outside of the edges, and the blocks whose events must be read instead."""

    cells: Sequence[Cell]
    edges: Sequence[int] = ()


async def position(conn: AsyncConnection) -> int:
    """Return the position up to which usage is counted."""
    found: int = (await conn.execute(select(as_of(PROJECTION)))).scalar_one()
    return found


async def usage_of_period(conn: AsyncConnection, tenant: str, period: Period, upto: int) -> Cells:
    """Return a period's usage by model, of events up to a position that is counted already."""
    edge = block_of(upto)
    on_edge = (_c.block == edge).label("on_edge")
    sums = [cast(func.sum(_c[name]), BigInteger).label(name) for name in AMOUNTS]
    query = (
        select(as_of(PROJECTION).label("position"), on_edge, _c.model, *sums)
        .where(_c.tenant == tenant, _c.quarter >= period.start, _c.quarter < period.end, _c.block <= edge)
        .group_by(on_edge, _c.model)
        .order_by(_c.model)
    )
    rows = (await conn.execute(query)).all()
    beyond = any(row.on_edge and row.position != upto for row in rows)
    cells = [Cell(model=row.model, amounts=_amounts(row)) for row in rows if not (beyond and row.on_edge)]
    return Cells(cells, (edge,) if beyond else ())


async def usage_recorded_late(
    conn: AsyncConnection, tenant: str, before: datetime, after: int, upto: int
) -> Cells:
    """Return usage that began before a time, of events after one position and up to another, by quarter."""
    low, high = block_of(after), block_of(upto)
    query = select(as_of(PROJECTION).label("position"), billing_cells).where(
        _c.tenant == tenant, _c.quarter < before, _c.block >= low, _c.block <= high
    )
    rows = (await conn.execute(query.order_by(_c.block, _c.quarter, _c.model))).all()
    edges = {row.block for row in rows if row.block == low or (row.block == high and row.position != upto)}
    cells = [
        Cell(model=row.model, quarter=row.quarter, amounts=_amounts(row))
        for row in rows
        if row.block not in edges
    ]
    return Cells(cells, sorted(edges))


def _amounts(row: Row[Any]) -> Amounts:
    return Amounts(**{name: getattr(row, name) for name in AMOUNTS})
