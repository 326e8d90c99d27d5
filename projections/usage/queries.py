"""Answers how much a tenant used: in all, and by model, provider, workspace, segment, key or user.

Every query takes a connection in a tenant's scope (`projections.scope.tenant_connection`). Sums are exact for
any period: whole hours and days come from rollups, the rest from request rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, Subquery, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.kernel.values import usd_text
from projections.checkpoints import as_of
from projections.usage.answers import (
    BreakdownItem,
    By,
    Interval,
    Latency,
    UsageBreakdown,
    UsageSummary,
)
from projections.usage.latency import quantile
from projections.usage.periods import Cut, Grain, cut
from projections.usage.sums import bins, sums
from projections.usage.tables import COUNTERS, LATENCY_DIMENSIONS, usage_users

PROJECTION = "usage"
MOST_ITEMS = 5000
Group = tuple[str, datetime | None]
Histogram = Mapping[int, int]
_NUMBERS = msgspec.json.Decoder(list[int])
_LARGEST: Mapping[Interval | None, Grain] = {None: "month", "month": "month", "hour": "hour"}


async def usage_summary(conn: AsyncConnection, from_: datetime, to: datetime) -> UsageSummary:
    """Return the tenant's usage of requests started in [from_, to). Raises InvalidInput for a bad period."""
    parts = cut(from_, to)
    total = sums("total", parts).subquery("total")
    row = (await conn.execute(select(as_of(PROJECTION).label("position"), total))).mappings().first()
    position = row["position"] if row else await _position(conn)
    histograms = await _histograms(conn, "total", parts, None)
    return UsageSummary(
        **_totals(dict(row or {}), histograms.get(("", None), {})),
        as_of_position=position,
        period_start=from_,
        period_end=to,
    )


async def usage_breakdown(
    conn: AsyncConnection,
    by: By,
    interval: Interval | None,
    from_: datetime,
    to: datetime,
    limit: int = MOST_ITEMS,
) -> UsageBreakdown:
    """Return the tenant's usage in [from_, to) by the values of a dimension, and by UTC interval if given.

    Items stand by interval, then dearest first. By user, key or hour there are no latency quantiles. Raises
    InvalidInput for a bad period.
    """
    parts = cut(from_, to, largest=_LARGEST.get(interval, "day"))
    rows = (await conn.execute(_breakdown(by, parts, interval, limit + 1))).mappings().all()
    histograms = await _histograms(conn, by, parts, interval)
    return UsageBreakdown(
        by=by,
        interval=interval,
        items=[_item(by, dict(row), histograms) for row in rows[:limit]],
        truncated=len(rows) > limit,
        as_of_position=rows[0]["position"] if rows else await _position(conn),
        period_start=from_,
        period_end=to,
    )


def _breakdown(by: By, parts: Cut, interval: Interval | None, limit: int) -> Select[Any]:
    """Select the first groups in order; names are looked up for those alone."""
    every = sums(by, parts, interval).subquery("every")
    groups = select(every).order_by(*_order(every)).limit(limit).subquery("groups")
    query = select(as_of(PROJECTION).label("position"), groups)
    if by == "user":
        named = usage_users.c.subject == groups.c.value
        query = query.add_columns(usage_users.c.name).outerjoin_from(groups, usage_users, named)
    return query.order_by(*_order(groups))


def _order(groups: Subquery) -> tuple[ColumnElement[Any], ...]:
    return (groups.c.since.asc(), groups.c.cost_micros.desc(), groups.c.requests.desc(), groups.c.value)


def _item(by: By, row: Mapping[str, Any], histograms: Mapping[Group, Histogram]) -> BreakdownItem:
    value = row["value"] or None
    named: dict[str, Any] = {by: value}
    if by == "user":
        named = {"user": row["name"], "subject": value}
    if row["since"] is not None:
        named["interval_start"] = row["since"]
    return BreakdownItem(**named, **_totals(row, histograms.get((row["value"], row["since"]), {})))


async def _histograms(
    conn: AsyncConnection, dimension: str, parts: Cut, interval: Interval | None
) -> Mapping[Group, Histogram]:
    if dimension not in LATENCY_DIMENSIONS or interval == "hour":
        return {}
    rows = await conn.execute(bins(dimension, parts, interval))
    return {
        (value, since): dict(zip(_NUMBERS.decode(numbers), _NUMBERS.decode(counts), strict=True))
        for value, since, numbers, counts in rows
    }


async def _position(conn: AsyncConnection) -> int:
    position: int = (await conn.execute(select(as_of(PROJECTION)))).scalar_one()
    return position


def _totals(row: Mapping[str, Any], histogram: Histogram) -> dict[str, Any]:
    """Turn a row of sums (empty: nothing was used) into the fields of `Totals`."""
    sums = {name: row.get(name, 0) for name in COUNTERS}
    requests = sums["requests"]
    return {
        "requests": requests,
        "input_tokens": sums["input_tokens"],
        "output_tokens": sums["output_tokens"],
        "total_tokens": sums["input_tokens"] + sums["output_tokens"],
        "cached_tokens": sums["cached_tokens"],
        "cache_write_tokens": sums["cache_write_tokens"],
        "reasoning_tokens": sums["reasoning_tokens"],
        "audio_input_tokens": sums["audio_input_tokens"],
        "audio_output_tokens": sums["audio_output_tokens"],
        "web_searches": sums["web_searches"],
        "cost_micros": sums["cost_micros"],
        "cost_usd": usd_text(sums["cost_micros"]),
        "success_rate": sums["succeeded"] / requests if requests else None,
        "latency_ms": Latency(
            avg=round(sums["latency_ms"] / requests, 1) if requests else None,
            p50=quantile(histogram, 0.5),
            p95=quantile(histogram, 0.95),
        ),
        "estimated_share": sums["estimated"] / requests if requests else None,
        "unpriced_requests": sums["unpriced"],
    }
