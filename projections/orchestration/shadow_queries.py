"""Reads what became of shadows: of a request, an experiment, a period; they are nobody's usage."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.kernel.request_record import Outcome, UsageSource
from domain.kernel.values import usd_text
from projections.orchestration.experiments_tables import (
    SHADOW_COUNTERS,
    experiment_shadows,
    shadow_requests,
)

_s = shadow_requests.c


class ShadowRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the copy of a request; `sent` is false for one that was refused before any call."""

    request_id: str
    started_at: datetime
    experiment: str | None
    provider: str | None
    model: str | None
    sent: bool
    outcome: Outcome
    status: int
    error_code: str | None
    duration_ms: int
    first_content_ms: int | None
    usage_source: UsageSource
    input_tokens: int | None
    output_tokens: int | None
    cost_micros: int | None


class ShadowSums(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the shadows of one experiment that went to one target; `*_squares` are sums of squares."""

    workspace: str
    experiment: str
    target: str
    requests: int
    sent: int
    succeeded: int
    input_tokens: int
    output_tokens: int
    latency_ms: int
    latency_squares: int
    priced: int
    cost_micros: int
    cost_squares: int


class ShadowTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over shadows. They stand apart from the usage, and count towards quotas."""

    requests: int
    sent: int
    succeeded: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost_micros: int
    cost_usd: str


async def shadow_of(conn: AsyncConnection, request_id: str) -> ShadowRecord | None:
    """Return the shadow of a request of the tenant, None when it had none or its shadow still runs."""
    columns = [_s[name] for name in ShadowRecord.__struct_fields__]
    query = select(*columns).where(_s.shadow_of == request_id).order_by(_s.position.desc()).limit(1)
    row = (await conn.execute(query)).mappings().first()
    return None if row is None else ShadowRecord(**row)


async def shadow_sums(conn: AsyncConnection) -> list[ShadowSums]:
    """Return the sums of the tenant's shadows by experiment and target."""
    columns = [experiment_shadows.c[name] for name in ("workspace", "experiment", "target", *SHADOW_COUNTERS)]
    rows = (await conn.execute(select(*columns).order_by(*columns[:3]))).mappings()
    return [ShadowSums(**row) for row in rows]


async def shadow_totals(
    conn: AsyncConnection, from_: datetime, to: datetime, workspace: str | None = None
) -> ShadowTotals:
    """Return the sums of the tenant's shadows started in [from_, to), of one workspace when given."""
    names = ("input_tokens", "output_tokens", "cost_micros")
    query = select(
        func.count().label("requests"),
        func.count().filter(_s.sent).label("sent"),
        func.count().filter(_s.outcome == "succeeded").label("succeeded"),
        *(func.coalesce(func.sum(_s[name]), 0).label(name) for name in names),
    ).where(_s.started_at >= from_, _s.started_at < to)
    if workspace is not None:
        query = query.where(_s.workspace == workspace)
    row = (await conn.execute(query)).mappings().one()
    sums = {name: int(value) for name, value in row.items()}
    return ShadowTotals(
        **sums,
        total_tokens=sums["input_tokens"] + sums["output_tokens"],
        cost_usd=usd_text(sums["cost_micros"]),
    )
