"""Builds the statements that add up rollups of whole hours and days with the request rows at the edges.

A rollup of just the interval that is asked for is an answer already: nothing else falls into its group.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    Text,
    case,
    cast,
    func,
    literal,
    select,
    union_all,
)

from domain.kernel.values import Period
from projections.usage.answers import Interval
from projections.usage.periods import Cut
from projections.usage.tables import COUNTERS, usage_latency, usage_requests, usage_rollups

Columns = Sequence[ColumnElement[Any]]
Rows = Select[Any] | CompoundSelect[Any]
Selects = list[Select[Any]]
_r = usage_requests.c

_VALUES: dict[str, ColumnElement[Any]] = {
    "total": literal(""),
    "workspace": _r.workspace,
    "segment": func.coalesce(_r.segment, ""),
    "provider": func.coalesce(_r.provider, ""),
    "model": func.coalesce(_r.model, ""),
    "key": _r.key_id,
    "user": func.coalesce(_r.subject, ""),
}

_AMOUNTS: dict[str, ColumnElement[Any]] = {
    "requests": literal(1, BigInteger),
    "succeeded": case((_r.outcome == "succeeded", 1), else_=0),
    "estimated": case((_r.usage_source == "estimated", 1), else_=0),
    "unpriced": case((_r.unpriced, 1), else_=0),
    "input_tokens": func.coalesce(_r.input_tokens, 0),
    "cached_tokens": func.coalesce(_r.cached_tokens, 0),
    "cache_write_tokens": func.coalesce(_r.cache_write_tokens, 0),
    "output_tokens": func.coalesce(_r.output_tokens, 0),
    "reasoning_tokens": func.coalesce(_r.reasoning_tokens, 0),
    "audio_input_tokens": func.coalesce(_r.audio_input_tokens, 0),
    "audio_output_tokens": func.coalesce(_r.audio_output_tokens, 0),
    "web_searches": func.coalesce(_r.web_searches, 0),
    "cost_micros": func.coalesce(_r.cost_micros, 0),
    "latency_ms": _r.duration_ms,
}


def sums(dimension: str, cut: Cut, interval: Interval | None = None) -> Rows:
    """Return (value, since, one sum a counter) by value and, when asked for, by interval."""
    ready, rollups = _rollups(
        usage_rollups, [usage_rollups.c[name] for name in COUNTERS], dimension, cut, interval
    )
    edges = [
        select(
            _VALUES[dimension].label("value"),
            _since(_r.started_at, interval).label("since"),
            *(_AMOUNTS[name].label(name) for name in COUNTERS),
        ).where(*_edge(period))
        for period in cut.edges
    ]
    if not rollups + edges:
        return union_all(*ready)
    parts = _union(rollups + edges)
    totals = (cast(func.coalesce(func.sum(parts.c[name]), 0), BigInteger).label(name) for name in COUNTERS)
    added = select(parts.c.value, parts.c.since, *totals).group_by(parts.c.value, parts.c.since)
    return union_all(*ready, added) if ready else added


def bins(dimension: str, cut: Cut, interval: Interval | None = None) -> Select[Any]:
    """Return (value, since, bins, counts) of the latency histograms; both are JSON arrays of one length."""
    counted = [usage_latency.c.bin, cast(usage_latency.c.requests, BigInteger).label("requests")]
    ready, rollups = _rollups(usage_latency, counted, dimension, cut, interval)
    edges = [
        select(
            _VALUES[dimension].label("value"),
            _since(_r.started_at, interval).label("since"),
            _r.latency_bin.label("bin"),
            literal(1, BigInteger).label("requests"),
        ).where(*_edge(period))
        for period in cut.edges
    ]
    if rollups + edges:
        parts = _union(rollups + edges)
        keys = (parts.c.value, parts.c.since, parts.c.bin)
        total = func.sum(cast(parts.c.requests, Integer), type_=BigInteger).label("requests")
        ready.append(select(*keys, total).group_by(*keys))
    each = union_all(*ready).subquery("each")
    arrays = (cast(func.to_json(func.array_agg(column)), Text) for column in (each.c.bin, each.c.requests))
    return select(each.c.value, each.c.since, *arrays).group_by(each.c.value, each.c.since)


def _rollups(
    table: Any, counters: Columns, dimension: str, cut: Cut, interval: Interval | None
) -> tuple[Selects, Selects]:
    """Return what selects (value, since, counters) of whole periods: as groups of their own, and as parts."""
    ready: Selects = []
    parts: Selects = []
    for grain, period in _whole(cut):
        since = table.c.start if grain == interval else _since(table.c.start, interval)
        rows = select(table.c.value, since.label("since"), *counters)
        (ready if grain == interval else parts).append(rows.where(*_grain(table, dimension, grain, period)))
    return ready, parts


def _whole(cut: Cut) -> Iterable[tuple[str, Period]]:
    yield from (("month", period) for period in cut.months)
    yield from (("day", period) for period in cut.days)
    yield from (("hour", period) for period in cut.hours)


def _grain(table: Any, dimension: str, grain: str, period: Period) -> tuple[ColumnElement[bool], ...]:
    return (
        table.c.dimension == dimension,
        table.c.grain == grain,
        table.c.start >= period.start,
        table.c.start < period.end,
    )


def _edge(period: Period) -> tuple[ColumnElement[bool], ...]:
    return (_r.metered, _r.started_at >= period.start, _r.started_at < period.end)


def _since(at: ColumnElement[Any], interval: Interval | None) -> ColumnElement[Any]:
    if interval is None:
        return literal(None, at.type)
    return func.date_trunc(interval, at, "UTC", type_=at.type)


def _union(parts: Selects) -> Any:
    return union_all(*parts).subquery("parts")
