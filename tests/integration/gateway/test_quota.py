"""Quotas over the wire: one API process and two, whole answers and streams, failures and hung-up clients."""

from __future__ import annotations

import asyncio
import collections
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.gateway.live import HELLO, Live, LiveTenant

pytestmark = pytest.mark.asyncio(loop_scope="session")
CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "up/any", "messages": HELLO, "max_tokens": 20}


@pytest_asyncio.fixture(loop_scope="session")
async def own(live: Live) -> LiveTenant:
    """A tenant for each test, for limits are the tenant's."""
    return await live.tenant()


async def quota(tenant: LiveTenant) -> dict[str, Any]:
    found: dict[str, Any] = await tenant.call("GET", "/usage/quota")
    return found


async def nothing_held(tenant: LiveTenant) -> dict[str, Any]:
    """Return the quota once no process holds anything any more."""
    async with asyncio.timeout(20):
        while (found := await quota(tenant))["held"]:  # noqa: ASYNC110 - nothing rings
            await asyncio.sleep(0.1)
    return found


async def test_a_dry_run_tells_what_the_request_will_hold_and_a_request_settles_to_what_it_used(
    own: LiveTenant,
) -> None:
    await own.call("PUT", "/usage/quota", json={"monthly_token_limit": 1000})
    dry = await own.post(CHAT, json=BODY, headers={"x-aios-dry-run": "1"})
    reserved = int(dry.headers["x-aios-quota-reserved"])
    assert 20 < reserved <= 200
    assert (await quota(own))["held"] == 0

    answer = await own.post(CHAT, json=BODY)
    used = answer.json()["usage"]["total_tokens"]
    found = await quota(own)
    assert answer.headers["x-aios-quota-reserved"] == str(reserved)
    assert 1000 - reserved <= int(answer.headers["x-aios-quota-remaining"]) <= 1000
    assert (found["used"], found["held"], found["remaining"]) == (used, 0, 1000 - used)


async def test_what_does_not_fit_is_refused_with_the_reason_while_less_still_passes(own: LiveTenant) -> None:
    await own.call("PUT", "/usage/quota", json={"monthly_token_limit": 300})
    refused = await own.post(CHAT, json={**BODY, "max_tokens": 5000})
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota_exceeded")
    assert refused.headers["x-should-retry"] == "false"
    assert refused.headers["x-aios-quota-remaining"] == "300"
    assert "300 tokens are used 0 tokens and held 0 tokens" in refused.json()["error"]["message"]
    assert (await own.post(CHAT, json=BODY)).status_code == 200


async def test_an_answer_is_shortened_where_the_quota_says_so(own: LiveTenant) -> None:
    await own.call("PUT", "/usage/quota", json={"monthly_token_limit": 300, "shrink_max_tokens": True})
    answer = await own.post(CHAT, json={**BODY, "max_tokens": 5000})
    assert answer.status_code == 200
    most = int(answer.headers["x-aios-quota-max-tokens"])
    assert own.live.upstream.requests[-1].json["max_tokens"] == most
    assert int(answer.headers["x-aios-quota-reserved"]) == 300


async def test_max_tokens_is_bounded_upstream_also_when_nobody_asked(own: LiveTenant) -> None:
    await own.post(CHAT, json={"model": "up/any", "messages": HELLO})
    body = own.live.upstream.requests[-1].json
    assert body["max_completion_tokens"] == 4096


async def test_the_tightest_of_several_scopes_decides(own: LiveTenant) -> None:
    await own.call("PUT", "/usage/quota", json={"monthly_token_limit": 10_000})
    await own.call("PUT", "/usage/quota", json={"scope": "segment", "id": "vip", "monthly_token_limit": 10})
    await own.call("PUT", "/usage/quota", json={"scope": "user", "id": "ann", "monthly_token_limit": 10})
    vip = await own.post(CHAT, json=BODY, headers={"x-aios-segment": "vip"})
    ann = await own.post(CHAT, json=BODY, headers={"x-aios-user": "ann"})
    other = await own.post(CHAT, json=BODY, headers={"x-aios-segment": "x", "x-aios-user": "bob"})
    assert [vip.status_code, ann.status_code, other.status_code] == [429, 429, 200]
    assert (await own.call("GET", "/usage/quota", params={"scope": "user", "id": "bob"}))["used"] > 0


async def test_money_limits_too_and_is_reserved_at_the_dearest_target(own: LiveTenant) -> None:
    model = {"name": "dear", "prices": {"input_per_mtok_usd": "1", "output_per_mtok_usd": "1000"}}
    await own.provider("gold", "openai", own.live.upstream.openai_base_url, models=[model])
    await own.call("PUT", "/usage/quota", json={"monthly_cost_limit_usd": "0.0300"})
    assert (await own.post(CHAT, json={**BODY, "model": "gold/dear"})).status_code == 200
    refused = await own.post(CHAT, json={**BODY, "model": "gold/dear"})
    found = await quota(own)
    assert refused.status_code == 429
    assert (found["unit"], found["used"]) == ("usd", found["used_micros"] / 1e6)
    assert 0.0120 <= found["used"] <= 0.0300


async def test_the_soft_threshold_warns_and_tells_once(own: LiveTenant) -> None:
    limits = {"monthly_token_limit": 20, "hard_cap_enabled": False, "soft_cap_threshold": 0.5}
    await own.call("PUT", "/usage/quota", json=limits)
    for _ in range(3):
        assert (await own.post(CHAT, json=BODY)).status_code == 200
    async with asyncio.timeout(20):
        while not (found := await soft_caps(own)):  # noqa: ASYNC110 - nothing rings
            await asyncio.sleep(0.1)
    await own.post(CHAT, json=BODY)
    assert (await quota(own))["state"] == "exceeded"
    assert len(found) == len(await soft_caps(own)) == 1


async def test_a_hard_cap_that_refuses_is_told_once_and_stands_among_the_notices(own: LiveTenant) -> None:
    limits = {"monthly_token_limit": 300, "soft_cap_enabled": False}
    await own.call("PUT", "/usage/quota", json=limits)
    for _ in range(3):
        assert (await own.post(CHAT, json={**BODY, "max_tokens": 5000})).status_code == 429
    async with asyncio.timeout(30):
        while not (found := (await own.call("GET", "/usage/notices"))["items"]):  # noqa: ASYNC110 - nothing rings
            await asyncio.sleep(0.1)
    assert [(each["cap"], each["scope"], each["used"], each["limit"]) for each in found] == [
        ("hard", "tenant", 0, 300)
    ]
    told = await own.call("GET", "/audit/events", params={"type": "usage.hard_cap_reached"})
    assert len(told["items"]) == 1


async def test_a_cap_set_below_what_is_used_blocks_at_once_and_takes_nothing_back(own: LiveTenant) -> None:
    used = (await own.post(CHAT, json=BODY)).json()["usage"]["total_tokens"]
    put = await own.call("PUT", "/usage/quota", json={"monthly_token_limit": 1})
    assert (put["used"], put["remaining"], put["state"]) == (used, 0, "exceeded")
    assert (await own.post(CHAT, json=BODY)).status_code == 429
    assert (await quota(own))["used"] == used


async def soft_caps(tenant: LiveTenant) -> list[Any]:
    found = await tenant.call("GET", "/audit/events", params={"type": "usage.soft_cap_reached"})
    return list(found["items"])


async def test_given_two_processes_streams_failures_and_hung_up_clients_then_a_limit_is_never_overspent(
    pair: tuple[Live, Live],
) -> None:
    tenant = await pair[0].tenant()
    other = LiveTenant(pair[1], tenant.name, tenant.key)
    dry = await tenant.post(CHAT, json=BODY, headers={"x-aios-dry-run": "1"})
    assert dry.status_code == 200
    await tenant.call("PUT", "/usage/quota", json={"monthly_token_limit": 2000})

    async def ask(number: int) -> str:
        where = (tenant, other)[number % 2]
        model = "up/fault:500" if number % 10 == 9 else "up/fault:slow=0.02"
        body = {**BODY, "model": model, "stream": number % 3 == 0}
        if number % 7 == 3:
            return await hung_up(where, {**body, "stream": True})
        answer = await where.post(CHAT, json=body)
        return str(answer.status_code)

    outcomes = collections.Counter(await asyncio.gather(*(ask(number) for number in range(160))))
    found = await nothing_held(tenant)
    summary = await tenant.call("GET", "/usage/summary")
    assert outcomes["200"] > 0
    assert outcomes["429"] > 0
    assert set(outcomes) <= {"200", "429", "502", "left"}
    assert found["used"] <= 2000
    assert found["used"] == summary["total_tokens"]


async def hung_up(tenant: LiveTenant, body: dict[str, Any]) -> str:
    headers = {"authorization": f"Bearer {tenant.key}"}
    async with tenant.live.http.stream("POST", CHAT, json=body, headers=headers) as answer:
        async for _ in answer.aiter_raw():
            break
    return "left" if answer.status_code == 200 else str(answer.status_code)


async def test_given_an_idle_slice_on_one_process_then_the_other_refuses_nothing_that_fits(
    pair: tuple[Live, Live],
) -> None:
    tenant = await pair[0].tenant()
    other = LiveTenant(pair[1], tenant.name, tenant.key)
    dry = await tenant.post(CHAT, json=BODY, headers={"x-aios-dry-run": "1"})
    assert dry.headers["x-aios-quota-state"] == "ok"
    await tenant.call("PUT", "/usage/quota", json={"monthly_token_limit": 6000})
    first = await tenant.post(CHAT, json=BODY)
    used, reserved = first.json()["usage"]["total_tokens"], int(first.headers["x-aios-quota-reserved"])
    most = 6000 - used - reserved + BODY["max_tokens"]
    fits = await other.post(CHAT, json={**BODY, "max_tokens": most})
    assert fits.status_code == 200, fits.text


async def test_a_limit_set_on_one_process_holds_on_the_other_when_the_answer_is_there(
    pair: tuple[Live, Live],
) -> None:
    tenant = await pair[0].tenant()
    other = LiveTenant(pair[1], tenant.name, tenant.key)
    await tenant.call("PUT", "/usage/quota", json={"monthly_token_limit": 10})
    assert (await other.post(CHAT, json=BODY)).status_code == 429
    await other.call("PUT", "/usage/quota", json={"monthly_token_limit": None})
    assert (await tenant.post(CHAT, json=BODY)).status_code == 200
