"""Reads where the books differ, and when they were compared."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.billing.tables import billing_differences, billing_reconciliations


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where our books and others' differ, or did until `cleared_at`.

    `kind` says which: `rederivation` compares with the log, every other with the payment system.
    """

    kind: str
    subject: str
    ours: str
    theirs: str
    found_at: datetime
    cleared_at: datetime | None
    position: int


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison of all tenants' books: how many subjects, and how many of them differed."""

    depth: str
    completed_at: datetime
    checked: int
    found: int


async def list_differences(
    conn: AsyncConnection, *, tenant: str, limit: int, before: int | None = None, cleared: bool = False
) -> list[Difference]:
    """Return a tenant's differences, newest first; with `cleared` also those that are none any more."""
    d = billing_differences.c
    query = select(billing_differences).where(d.tenant == tenant).order_by(d.position.desc()).limit(limit)
    if not cleared:
        query = query.where(d.cleared_at.is_(None))
    if before is not None:
        query = query.where(d.position < before)
    return [
        Difference(**{name: getattr(row, name) for name in Difference.__struct_fields__})
        for row in await conn.execute(query)
    ]


async def list_comparisons(conn: AsyncConnection) -> list[Compared]:
    """Return the last comparison of each depth."""
    query = select(billing_reconciliations).order_by(billing_reconciliations.c.depth)
    return [Compared(**row._asdict()) for row in await conn.execute(query)]
