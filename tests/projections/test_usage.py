"""Sums of usage are exact for any period and any grouping; latency quantiles are close."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count, pairwise
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.kernel.errors import InvalidInput
from domain.kernel.personal import Erased
from domain.kernel.request_record import RequestRecorded, TokenCounts
from projections.usage.answers import By, Interval
from projections.usage.latency import LAST_BIN, bin_of, quantile
from projections.usage.periods import Grain, cut
from projections.usage.queries import usage_breakdown, usage_summary
from projections.usage.tables import GRAINS
from tests.projections.conftest import Engines
from tests.projections.usage_world import (
    START,
    UsageWorld,
    expected_sums,
    moments,
    request,
    requests,
    started_in,
)

DAY = timedelta(days=1)
tenants = (f"t{number}" for number in count())
with_database = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
async def world(engines: Engines) -> UsageWorld:
    return await UsageWorld.open(engines)


def sums_of(answer: Any) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in expected_sums([])}


@with_database
@given(events=st.lists(requests, max_size=30), bounds=st.tuples(moments, moments))
async def test_a_summary_is_exactly_the_sum_of_its_events(
    world: UsageWorld, events: Sequence[RequestRecorded], bounds: tuple[datetime, datetime]
) -> None:
    # given
    tenant, (from_, to) = next(tenants), sorted(bounds)
    await world.record(*events[:10], tenant=tenant)
    await world.record(*events[10:], tenant=tenant)
    # when
    async with world.tenant(tenant) as conn:
        summary = await usage_summary(conn, from_, to)
    # then
    counted = started_in(events, from_, to)
    assert sums_of(summary) == expected_sums(counted)
    assert summary.cost_usd == f"{summary.cost_micros // 10**6}.{summary.cost_micros % 10**6:06d}"
    assert summary.as_of_position == world.position
    if counted:
        assert summary.success_rate == sum(e.outcome == "succeeded" for e in counted) / len(counted)
        assert summary.estimated_share == sum(e.usage_source == "estimated" for e in counted) / len(counted)
        assert summary.latency_ms.avg == round(sum(e.duration_ms for e in counted) / len(counted), 1)


@with_database
@given(
    events=st.lists(requests, max_size=30),
    bounds=st.tuples(moments, moments),
    by=st.sampled_from(get_args(By)),
    interval=st.sampled_from([None, *get_args(Interval)]),
)
async def test_a_breakdown_is_exactly_the_sum_of_each_group(
    world: UsageWorld,
    events: Sequence[RequestRecorded],
    bounds: tuple[datetime, datetime],
    by: By,
    interval: Interval | None,
) -> None:
    # given
    tenant, (from_, to) = next(tenants), sorted(bounds)
    await world.record(*events, tenant=tenant)
    # when
    async with world.tenant(tenant) as conn:
        breakdown = await usage_breakdown(conn, by, interval, from_, to)
    # then
    field = {"key": "key_id", "user": "subject"}.get(by, by)
    groups: dict[Any, list[RequestRecorded]] = {}
    for event in started_in(events, from_, to):
        value = getattr(event, field)
        key = (value[:256] if value else None, interval and interval_start(event.started_at, interval))
        groups.setdefault(key, []).append(event)
    shown = "subject" if by == "user" else by
    found = {(getattr(i, shown), i.interval_start if interval else None): sums_of(i) for i in breakdown.items}
    assert found == {key: expected_sums(group) for key, group in groups.items()}
    assert not breakdown.truncated


def interval_start(at: datetime, interval: Interval) -> datetime:
    hour = at.replace(minute=0, second=0, microsecond=0)
    if interval == "hour":
        return hour
    day = hour.replace(hour=0)
    if interval == "week":
        return day - timedelta(days=day.weekday())
    return day if interval == "day" else day.replace(day=1)


async def test_nothing_used_is_zero_and_no_rate(world: UsageWorld) -> None:
    async with world.tenant() as conn:
        summary = await usage_summary(conn, START, START + DAY)
    assert (summary.requests, summary.cost_usd, summary.success_rate) == (0, "0.000000", None)
    assert (summary.latency_ms.avg, summary.latency_ms.p95) == (None, None)


async def test_refused_requests_and_token_counts_are_not_usage(world: UsageWorld) -> None:
    # given a refusal, a token count, and a failure that a provider saw
    await world.record(
        request(attempts=(), outcome="failed", status=429, usage=None),
        request(operation="count_tokens"),
        request(outcome="failed", status=502, usage=None, cost_micros=0),
    )
    # when
    async with world.tenant() as conn:
        summary = await usage_summary(conn, START, START + DAY)
    # then
    assert (summary.requests, summary.success_rate) == (1, 0.0)


async def test_a_tenant_sees_its_own_usage_alone(world: UsageWorld) -> None:
    await world.record(request(), tenant="t1")
    await world.record(request(), request(), tenant="t2")
    async with world.tenant("t2") as conn:
        assert (await usage_summary(conn, START, START + DAY)).requests == 2


async def test_users_are_named_while_their_name_is_kept(world: UsageWorld) -> None:
    # given one user whose name was erased before the replay, one who is known, and requests of nobody
    await world.record(
        request(subject="s1", user=Erased(key_id="k1")),
        request(subject="s2", user="ann@example.com", cost_micros=50),
        request(),
    )
    # when
    async with world.tenant() as conn:
        breakdown = await usage_breakdown(conn, "user", None, START, START + DAY)
    # then dearest first
    assert [(item.user, item.subject) for item in breakdown.items] == [
        ("ann@example.com", "s2"),
        (None, None),
        (None, "s1"),
    ]


async def test_a_breakdown_tells_what_it_left_out(world: UsageWorld) -> None:
    await world.record(*(request(model=f"m{n}", cost_micros=n) for n in range(5)))
    async with world.tenant() as conn:
        breakdown = await usage_breakdown(conn, "model", None, START, START + DAY, limit=2)
    assert [item.model for item in breakdown.items] == ["m4", "m3"]
    assert breakdown.truncated


async def test_latency_quantiles_by_model(world: UsageWorld) -> None:
    # given
    await world.record(*(request(model="slow", duration_ms=10 * n) for n in range(1, 101)))
    await world.record(*(request(model="fast", duration_ms=n) for n in range(1, 101)))
    # when
    async with world.tenant() as conn:
        breakdown = await usage_breakdown(conn, "model", "day", START, START + DAY)
    # then
    latency = {item.model: item.latency_ms for item in breakdown.items}
    assert latency["slow"].p50 == pytest.approx(500, rel=0.05)
    assert latency["slow"].p95 == pytest.approx(950, rel=0.05)
    assert latency["fast"].p95 == pytest.approx(95, rel=0.05)


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_within_five_percent(durations: list[int], q: float) -> None:
    # given
    bins: dict[int, int] = {}
    for duration in durations:
        bins[bin_of(duration)] = bins.get(bin_of(duration), 0) + 1
    exact = sorted(durations)[max(0, -(-int(q * 1000) * len(durations) // 1000) - 1)]
    # when
    found = quantile(bins, q)
    # then
    assert found == pytest.approx(exact, rel=0.05, abs=1.0)


def test_a_duration_of_years_has_a_bin_too() -> None:
    assert bin_of(10**15) == LAST_BIN


@given(st.tuples(moments, moments), st.sampled_from(GRAINS))
def test_a_cut_covers_the_period_once(bounds: tuple[datetime, datetime], largest: Grain) -> None:
    # when
    from_, to = sorted(bounds)
    parts = cut(from_, to, largest=largest)
    # then the parts follow one another from the start to the end
    pieces = sorted((p.start, p.end) for p in (*parts.months, *parts.days, *parts.hours, *parts.edges))
    assert pieces[0][0] == from_
    assert pieces[-1][1] == to
    assert all(left[1] == right[0] for left, right in pairwise(pieces))
    assert all(p.start.hour == p.end.hour == 0 for p in (*parts.days, *parts.months))
    assert all(p.start.day == p.end.day == 1 for p in parts.months)
    assert not any(holds_a_whole_hour(p.start, p.end) for p in parts.edges)


def holds_a_whole_hour(start: datetime, end: datetime) -> bool:
    begun = start.replace(minute=0, second=0, microsecond=0)
    first = begun if begun == start else begun + timedelta(hours=1)
    return first + timedelta(hours=1) <= end


@pytest.mark.parametrize(
    ("from_", "to", "field"),
    [
        (START.replace(tzinfo=None), START, "from"),
        (START, START - DAY, "to"),
    ],
)
def test_a_bad_period_is_refused_by_name(from_: datetime, to: datetime, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        cut(from_, to)
    assert refused.value.errors[0].pointer == field


async def test_an_explicit_zero_is_kept_apart_from_nothing(world: UsageWorld) -> None:
    await world.record(request(usage=TokenCounts(input=0, output=0), cost_micros=0))
    async with world.tenant() as conn:
        summary = await usage_summary(conn, START, START + DAY)
    assert (summary.requests, summary.total_tokens, summary.unpriced_requests) == (1, 0, 0)
