"""Shadows through the product: seen at their request and their experiment, counted by quotas, in no usage."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.gateway.live import HELLO, Live, LiveTenant, rule

pytestmark = pytest.mark.asyncio(loop_scope="session")
CHAT = "/v1/chat/completions"


def experiment(shadow: str) -> dict[str, Any]:
    """Return an experiment with two arms that are the same, and a shadow."""
    arms = [{"model": "m-one"}, {"model": "m-one-too"}]
    return {"name": "copy", "arms": arms, "unit": "session", "shadow": shadow}


async def shadow_of(tenant: LiveTenant, request_id: str) -> Any:
    """Return the shadow of a request once it has ended."""
    async with asyncio.timeout(20):
        while (found := (await tenant.record(request_id))["shadow"]) is None:  # noqa: ASYNC110 polls
            await asyncio.sleep(0.02)
    return found


@pytest.mark.parametrize("stream", [False, True])
async def test_a_shadow_is_seen_everywhere_and_counts_in_no_usage(live: Live, stream: bool) -> None:
    # given
    tenant = await live.tenant()
    await tenant.policy("default", rule("up/m-one", experiment=experiment("cl/shadowed")))
    # when
    answer = await tenant.post(CHAT, json={"model": "auto", "messages": HELLO, "stream": stream})
    shadow = await shadow_of(tenant, answer.headers["x-request-id"])
    # then
    assert answer.headers["x-aios-provider"] == "up"
    assert (shadow["provider"], shadow["model"], shadow["outcome"]) == ("cl", "shadowed", "succeeded")
    assert shadow["output_tokens"] == 12
    summary = await tenant.call("GET", "/usage/summary")
    record = await tenant.record(answer.headers["x-request-id"])
    assert (summary["requests"], summary["total_tokens"]) == (1, record["total_tokens"])
    assert (summary["shadow"]["requests"], summary["shadow"]["succeeded"]) == (1, 1)
    assert summary["shadow"]["total_tokens"] == shadow["input_tokens"] + shadow["output_tokens"]
    assert len((await tenant.call("GET", "/requests"))["items"]) == 1
    (found,) = (await tenant.call("GET", "/experiments"))["items"]
    assert found["requests"] == 1
    (results,) = found["shadows"]
    assert (results["target"], results["requests"], results["sent"]) == ("cl/shadowed", 1, 1)
    assert results["success_rate"]["value"] == 1.0
    quota = await tenant.call(
        "PUT", "/usage/quota", json={"monthly_token_limit": 100_000, "hard_cap_enabled": True}
    )
    assert quota["used"] == summary["total_tokens"] + summary["shadow"]["total_tokens"]


async def test_a_shadow_that_no_quota_allows_is_not_sent_and_told(live: Live) -> None:
    # given a limit for the caller's request alone
    tenant = await live.tenant()
    await tenant.policy("default", rule("up/m-one", experiment=experiment("cl/shadowed")))
    body = {"model": "auto", "messages": HELLO, "max_tokens": 50}
    dry = await tenant.post(CHAT, json=body, headers={"x-aios-dry-run": "1"})
    assert dry.status_code == 200
    limits = {"monthly_token_limit": 250, "hard_cap_enabled": True}
    await tenant.call("PUT", "/usage/quota", json=limits)
    # when it is asked until nothing more fits
    answers = [await tenant.post(CHAT, json=body) for _ in range(6)]
    served = [answer for answer in answers if answer.status_code == 200]
    shadows = [await shadow_of(tenant, answer.headers["x-request-id"]) for answer in served]
    # then shadows were admitted like requests, and the limit held
    assert served
    assert {"quota_exceeded"} >= {s["error_code"] for s in shadows if not s["sent"]}
    assert not all(shadow["sent"] for shadow in shadows) or len(served) < 6
    quota = await tenant.call("GET", "/usage/quota")
    assert quota["used"] <= 250
