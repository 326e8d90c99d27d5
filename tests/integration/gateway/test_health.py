"""Health through the product: unhealthy targets rest, are probed one at a time, and come back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.upstream_behaviour import behaviour_of
from tests.integration.gateway.live import HELLO, Live, LiveTenant, rule
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")
CHAT = "/v1/chat/completions"
AUTO = {"model": "auto", "messages": HELLO}


async def ask(tenant: LiveTenant) -> Any:
    """Send one request to the policy and return the answer, which always succeeds."""
    answer = await tenant.post(CHAT, json=AUTO)
    assert answer.status_code == 200, answer.text
    return answer


async def health(tenant: LiveTenant, model: str) -> Any:
    """Return a model's health as the API tells it."""
    items = (await tenant.call("GET", "/model-health"))["items"]
    return next(item for item in items if item["model"] == model)


async def test_an_unhealthy_target_rests_and_returns_when_it_is_mended(live: Live) -> None:
    # given a target that fails five times in a row
    tenant = await live.tenant()
    model = f"flaky-{tenant.name}"
    await tenant.policy("default", rule(f"up/{model}", "cl/steady"))
    live.upstream.script(*[behaviour_of("500")] * 5, model=model)
    for _ in range(5):
        failed = await ask(tenant)
        assert failed.headers["x-aios-fallback-reason"] == "status_500"
    # when ten more requests come
    answers = [await ask(tenant) for _ in range(10)]
    # then it gets at most three of them, and the others say why
    providers = [answer.headers["x-aios-provider"] for answer in answers]
    assert providers.count("up") <= 3
    assert providers[0] == "cl"
    assert answers[0].headers["x-aios-fallback-reason"] == "unhealthy"
    record = await tenant.record(answers[0].headers["x-request-id"])
    assert record["decision"]["targets"] == ["cl/steady"]
    assert record["decision"]["skipped"] == [[f"up/{model}", "unhealthy: 5 failures in a row"]]
    if providers.count("up") == 0:
        assert (await health(tenant, model))["status"] == "unhealthy"

    # and it is mended, so requests bring it back
    async def mended() -> bool:
        await ask(tenant)
        return bool((await health(tenant, model))["status"] == "healthy")

    await until(mended, "mended", 60.0)
    assert (await ask(tenant)).headers["x-aios-provider"] == "up"

    async def recorded() -> bool:
        return bool((await health(tenant, model))["last_transition"]["status"] == "healthy")

    await until(recorded, "recorded", 60.0)


async def test_a_dry_run_uses_no_probe_and_a_throttled_target_returns_in_time(live: Live) -> None:
    # given a provider that asks to be left alone for two seconds
    tenant = await live.tenant()
    model = f"busy-{tenant.name}"
    await tenant.policy("default", rule(f"up/{model}", "cl/steady"))
    live.upstream.script(behaviour_of("429=2"), model=model)
    assert (await ask(tenant)).headers["x-aios-provider"] == "cl"
    # when
    dry = await tenant.post(CHAT, json=AUTO, headers={"x-aios-dry-run": "1"})
    # then
    assert dry.json()["decision"]["targets"] == ["cl/steady"]
    assert (await health(tenant, model))["status"] == "throttled"

    async def returned() -> bool:
        return bool((await ask(tenant)).headers["x-aios-provider"] == "up")

    await until(returned, "returned", 60.0)


async def test_when_every_target_is_unhealthy_the_least_bad_is_tried(live: Live) -> None:
    tenant = await live.tenant()
    model = f"lonely-{tenant.name}"
    await tenant.policy("default", rule(f"up/{model}"))
    live.upstream.script(*[behaviour_of("500")] * 5, model=model)
    for _ in range(5):
        assert (await tenant.post(CHAT, json=AUTO)).status_code >= 500
    answer = await ask(tenant)
    record = await tenant.record(answer.headers["x-request-id"])
    assert record["decision"]["least_bad"] is True
    assert "least bad" in record["decision"]["why"]
