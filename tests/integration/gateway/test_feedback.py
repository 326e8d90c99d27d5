"""Ratings, experiments and what-if through the product."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.gateway.live import HELLO, Live, LiveTenant, rule

pytestmark = pytest.mark.asyncio(loop_scope="session")
CHAT = "/v1/chat/completions"


async def ask(tenant: LiveTenant, session: str = "s1", **headers: str) -> Any:
    """Send one request to the policy and return the answer."""
    answer = await tenant.post(
        CHAT,
        json={"model": "auto", "messages": HELLO},
        headers={"x-aios-session": session, **headers},
    )
    assert answer.status_code == 200, answer.text
    return answer


def experiment(**more: Any) -> dict[str, Any]:
    arms = [{"model": "m-one", "weight": 1}, {"model": "m-two", "provider": "cl", "weight": 1}]
    return {"name": "tone", "arms": arms, "unit": "session", **more}


async def test_ratings_and_results_of_an_experiment(live: Live) -> None:
    # given an experiment with two arms
    tenant = await live.tenant()
    await tenant.policy("default", rule("up/m-one", experiment=experiment()))
    answers = [await ask(tenant, f"s{n}") for n in range(12)]
    providers = [answer.headers["x-aios-provider"] for answer in answers]
    rated = answers[0].headers["x-request-id"]
    # when
    given = await tenant.call("POST", "/feedback", json={"request_id": rated, "score": -1, "comment": "no"})
    await tenant.call("POST", "/feedback", json={"request_id": rated, "score": 0.75, "scale": "0..1"})
    # then
    assert given["provider"] == providers[0]
    assert given["position"] > 0
    (found,) = (await tenant.call("GET", "/experiments"))["items"]
    arms = {arm["arm"]: arm for arm in found["arms"]}
    assert (found["name"], found["active"], found["requests"]) == ("tone", True, 12)
    assert arms["up/m-one"]["requests"] == providers.count("up")
    assert arms["cl/m-two"]["requests"] == providers.count("cl")
    assert [arms[name]["share"] for name in ("up/m-one", "cl/m-two")] == [0.5, 0.5]
    feedback = arms[given["arm"]]["feedback"]
    assert (feedback["count"], feedback["value"]) == (1, 0.5)
    success = arms[given["arm"]]["success_rate"]
    assert success["value"] == 1.0
    assert 0 < success["low"] < 1.0
    assert arms[given["arm"]]["latency_ms"]["value"] is not None


async def test_a_rating_needs_a_request_and_a_score_in_range(live: Live, tenant: LiveTenant) -> None:
    for body, status, pointer in (
        ({"request_id": "req_unknown", "score": 1}, 404, None),
        ({"request_id": "r", "score": 1.5}, 422, "/score"),
        ({"request_id": "r", "score": "good"}, 422, "/score"),
        ({"request_id": "r", "score": 1, "colour": "red"}, 422, "/colour"),
        ({"score": 1}, 422, "/request_id"),
    ):
        answer = await tenant.post("/api/ai-advanced/feedback", json=body)
        assert answer.status_code == status, answer.text
        if pointer:
            assert answer.json()["errors"][0]["pointer"] == pointer


async def test_ratings_move_the_order_of_fallbacks(live: Live) -> None:
    # given two fallbacks, of which the second was praised ten times
    tenant = await live.tenant()
    await tenant.policy("default", rule("cl/praised"))
    for _ in range(10):
        request_id = (await ask(tenant)).headers["x-request-id"]
        await tenant.call("POST", "/feedback", json={"request_id": request_id, "score": 1})
    # when
    await tenant.policy("default", rule("up/first", "up/other", "cl/praised"), fallback_strategy="quality")

    async def targets() -> list[str]:
        answer = await tenant.post(
            CHAT, json={"model": "auto", "messages": HELLO}, headers={"x-aios-dry-run": "1"}
        )
        found: list[str] = answer.json()["decision"]["targets"]
        return found

    # then
    async with asyncio.timeout(60):
        while await targets() != ["up/first", "cl/praised", "up/other"]:  # noqa: ASYNC110 learned elsewhere
            await asyncio.sleep(0.2)


async def test_a_draft_is_judged_on_recorded_requests(live: Live) -> None:
    # given
    tenant = await live.tenant()
    await tenant.policy(
        "default",
        rule("up/m-one", "cl/m-two"),
        rule("up/m-one", segment="vip", experiment=experiment()),
    )
    for number in range(8):
        await ask(tenant, f"s{number}", **{"x-aios-segment": "vip" if number % 2 else "other"})
    live_policy = await tenant.call("GET", "/model-policy?workspace_id=default")
    draft = {
        name: live_policy[name]
        for name in ("workspace_id", "rules", "fallback_strategy", "auto_fallback_enabled")
    }
    # when
    same = await tenant.call("POST", "/model-policy/simulate", json={"policy": draft})
    other = dict(draft, rules=[rule("cl/m-two"), rule("nobody/x", segment="vip")])
    changed = await tenant.call("POST", "/model-policy/simulate", json={"policy": other, "limit": 8})
    # then
    assert (same["requests"], same["unchanged"], same["rerouted"]) == (8, 8, 0)
    assert same["cost_micros"]["actual"] == same["cost_micros"]["simulated"]
    assert (changed["requests"], changed["rerouted"]) == (8, 4)
    assert changed["refused"][0]["requests"] == 4
    assert changed["changed"][0]["simulated"] == ["cl/m-two"]
    assert {"target", "requests", "latency_ms"} <= changed["routes"][0].keys()


async def test_a_window_and_a_draft_that_make_no_sense_are_refused(live: Live, tenant: LiveTenant) -> None:
    good = {"workspace_id": "default", "rules": [rule("up/m")], "fallback_strategy": "order"}
    for body, pointer in (
        ({"policy": good, "from": "2026-02-01", "to": "2026-01-01"}, "/to"),
        ({"policy": good, "from": "yesterday"}, "/from"),
        ({"policy": dict(good, rules=[rule("up/m"), rule("up/n")])}, "/policy/rules/1/segment"),
        ({"policy": dict(good, colour="red")}, "/policy/colour"),
        ({}, "/policy"),
    ):
        answer = await tenant.post("/api/ai-advanced/model-policy/simulate", json=body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer
