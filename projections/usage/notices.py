"""Caps that were reached, for people to see: table, fold and query of the console's notices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import BigInteger, Column, DateTime, Float, Table, Text, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.kernel.events import Envelope
from domain.usage.events import HardCapReached, SoftCapReached
from domain.usage.quota import ScopeKind, Unit
from projections.ops import Insert, RowOp
from projections.projection import Projection
from projections.tables import METADATA, tenant_key

Cap = Literal["soft", "hard"]

quota_notices = Table(
    "quota_notices",
    METADATA,
    tenant_key(),
    Column("position", BigInteger, primary_key=True),
    Column("cap", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("month", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("limit", BigInteger, nullable=False),
    Column("threshold", Float),
    Column("reached_at", DateTime(timezone=True), nullable=False),
)


class QuotaNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A cap that was reached: once a scope and month. Amounts are tokens or micro-dollars, as `unit` says.

    A user's `id` is a pseudonym. `threshold` is the share of the limit at which a soft cap warns.
    """

    cap: Cap
    scope: ScopeKind
    id: str
    month: str
    unit: Unit
    used: int
    limit: int
    threshold: float | None
    reached_at: datetime
    position: int


def cap_reached(envelope: Envelope[SoftCapReached | HardCapReached]) -> Iterable[RowOp]:
    """Keep the notice."""
    event = envelope.event
    yield Insert(
        quota_notices,
        {
            "tenant": envelope.tenant,
            "position": envelope.position,
            "cap": "soft" if isinstance(event, SoftCapReached) else "hard",
            "scope": event.scope,
            "id": event.scope_id,
            "month": event.month,
            "unit": event.unit,
            "used": event.used,
            "limit": event.limit,
            "threshold": event.threshold if isinstance(event, SoftCapReached) else None,
            "reached_at": event.reached_at,
        },
    )


NOTICES = Projection(
    name="quota_notices",
    version=1,
    tables=(quota_notices,),
    handlers={SoftCapReached: cap_reached, HardCapReached: cap_reached},
)


async def list_notices(
    conn: AsyncConnection, *, month: str | None = None, limit: int = 50, before: int | None = None
) -> list[QuotaNotice]:
    """Return notices of a month (`2026-11`) or of all, newest first, those below position `before`."""
    columns = (quota_notices.c[name] for name in QuotaNotice.__struct_fields__)
    query = select(*columns)
    if month is not None:
        query = query.where(quota_notices.c.month == month)
    if before is not None:
        query = query.where(quota_notices.c.position < before)
    rows = await conn.execute(query.order_by(quota_notices.c.position.desc()).limit(limit))
    return [QuotaNotice(**row) for row in rows.mappings()]
