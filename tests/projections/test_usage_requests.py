"""Single requests: the full record, pages of them, and the export."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from msgspec.structs import replace

from domain.kernel.errors import InvalidInput
from domain.kernel.request_record import Attempt, Decision, TokenCounts
from projections.usage.request_queries import RequestFilters, list_requests, request_record, usage_events
from tests.projections.conftest import Engines
from tests.projections.usage_world import START, UsageWorld, request

DAY = timedelta(days=1)


@pytest.fixture
async def world(engines: Engines) -> UsageWorld:
    return await UsageWorld.open(engines)


USAGE = TokenCounts(input=12, cached_input=0, output=3)
FAILED = Attempt(provider="openai", model="gpt-5", outcome="status", status=503, started_ms=1, duration_ms=40)
ANSWERED = Attempt(
    provider="anthropic",
    model="claude",
    outcome="ok",
    status=200,
    started_ms=41,
    duration_ms=900,
    usage=USAGE,
    usage_source="provider",
    cost_micros=1250,
    price_version="p7",
)
DECISION = Decision(
    requested_model="auto", policy="default@3", rule="1", targets=("openai/gpt-5", "anthropic/c")
)


async def test_a_record_holds_the_decision_and_every_attempt(world: UsageWorld) -> None:
    # given a request that fell back
    attempts = (FAILED, ANSWERED)
    fell_back = request(
        request_id="req_x", decision=DECISION, attempts=attempts, usage=USAGE, cost_micros=1250
    )
    await world.record(replace(fell_back, subject="s1", user="ann@example.com", prompt="what is it"))
    # when
    async with world.tenant() as conn:
        record = await request_record(conn, "req_x")
    # then
    assert record
    assert record.decision == DECISION
    assert [(a.provider, a.outcome, a.usage and a.usage.total_tokens) for a in record.attempts] == [
        ("openai", "status", None),
        ("anthropic", "ok", 15),
    ]
    assert (record.cost_micros, record.cost_usd, record.price_version) == (1250, "0.001250", "p7")
    assert record.usage
    assert (record.usage.cached_tokens, record.usage.reasoning_tokens) == (0, None)
    assert (record.user, record.text_stored, record.metered) == ("ann@example.com", True, True)


async def test_a_record_of_another_tenant_does_not_exist(world: UsageWorld) -> None:
    await world.record(request(request_id="req_x"), tenant="t2")
    async with world.tenant("t1") as conn:
        assert await request_record(conn, "req_x") is None


async def test_a_refused_request_has_a_record_without_usage(world: UsageWorld) -> None:
    await world.record(
        request(request_id="req_r", attempts=(), usage=None, cost_micros=None, outcome="failed", status=429)
    )
    async with world.tenant() as conn:
        record = await request_record(conn, "req_r")
    assert record
    assert (record.metered, record.usage, record.cost_usd, record.status) == (False, None, None, 429)


async def test_pages_follow_one_another_newest_first(world: UsageWorld) -> None:
    # given requests, some of which started at the same time
    await world.record(
        *(request(request_id=f"r{n}", started_at=START + timedelta(seconds=n // 3)) for n in range(10))
    )
    # when
    seen, cursor = [], None
    async with world.tenant() as conn:
        while True:
            page = await list_requests(conn, limit=4, cursor=cursor)
            seen += [item.request_id for item in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
    # then
    assert seen == [f"r{n}" for n in reversed(range(10))]


async def test_filters_narrow_the_list(world: UsageWorld) -> None:
    await world.record(
        request(request_id="a", model="m1", segment="gold"),
        request(request_id="b", model="m2", segment="gold", outcome="failed"),
        request(request_id="c", model="m2", started_at=START + DAY),
    )
    async with world.tenant() as conn:
        gold = await list_requests(conn, filters=RequestFilters(segment="gold"))
        failed = await list_requests(conn, filters=RequestFilters(model="m2", outcome="failed"))
        late = await list_requests(conn, filters=RequestFilters(since=START + DAY))
    assert [[item.request_id for item in page.items] for page in (gold, failed, late)] == [
        ["b", "a"],
        ["b"],
        ["c"],
    ]


@pytest.mark.parametrize("cursor", ["nonsense", "!!!", "MTIz", ""])
async def test_a_made_up_cursor_is_refused(world: UsageWorld, cursor: str) -> None:
    async with world.tenant() as conn:
        with pytest.raises(InvalidInput, match="cursor"):
            await list_requests(conn, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 501])
async def test_a_limit_out_of_range_is_refused(world: UsageWorld, limit: int) -> None:
    async with world.tenant() as conn:
        with pytest.raises(InvalidInput, match="limit"):
            await list_requests(conn, limit=limit)


async def test_an_export_holds_each_metered_request_once(world: UsageWorld) -> None:
    # given more than one page, requests of the same instant, and one that is no usage
    await world.record(
        *(request(request_id=f"r{n:02}", started_at=START + timedelta(seconds=n // 5)) for n in range(30)),
        request(request_id="refused", attempts=()),
        request(request_id="later", started_at=START + DAY),
    )
    # when
    exported = []
    async for event in usage_events(partial(world.tenant, "t1"), START, START + DAY, page=7):
        exported.append(event.request_id)
        if len(exported) == 1:
            await world.record(request(request_id="while it ran", started_at=START + timedelta(hours=1)))
    # then
    assert exported == [f"r{n:02}" for n in range(30)]
