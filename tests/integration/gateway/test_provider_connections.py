"""Providers through the API: tests of their connections, and the one alert about a refused credential."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.gateway.live import HELLO, Live, LiveTenant, fresh

pytestmark = pytest.mark.asyncio(loop_scope="session")
REFUSED, ACCEPTED = (
    "orchestration.provider_credential_refused",
    "orchestration.provider_credential_accepted",
)


async def alerts(tenant: LiveTenant) -> list[str]:
    """Return the types of the tenant's alerts about credentials, oldest first."""
    found = await tenant.call("GET", "/audit/events", params={"type": "orchestration.*", "limit": 500})
    types = [event["type"] for event in found["items"] if "credential" in event["type"]]
    return sorted(types, key=[REFUSED, ACCEPTED].index)


async def refusals(tenant: LiveTenant) -> list[Any]:
    """Return what providers and model health tell about `up`."""
    providers = (await tenant.call("GET", "/providers"))["items"]
    health = (await tenant.call("GET", "/model-health"))["items"]
    found = [each["credential_refused"] for each in providers if each["name"] == "up"]
    return found + [each["credential_refused"] for each in health if each["provider"] == "up"]


async def until(tenant: LiveTenant, *, told: bool) -> None:
    """Wait until the refusal is told everywhere, or nowhere any more."""
    async with asyncio.timeout(20):
        while {found is not None for found in await refusals(tenant)} != {told}:  # noqa: ASYNC110 polls
            await asyncio.sleep(0.05)


async def test_a_refused_credential_is_one_alert_that_is_cleared(live: Live) -> None:
    # given
    tenant = await live.tenant()
    # when four requests meet the refusal
    for _ in range(4):
        answer = await tenant.post(
            "/v1/chat/completions", json={"model": f"up/{fresh('401')}", "messages": HELLO}
        )
        assert answer.json()["error"]["code"] == "upstream_credential_refused"
    # then it is told once, and everybody can see it
    await until(tenant, told=True)
    assert {found["status"] for found in await refusals(tenant)} == {401}
    assert await alerts(tenant) == [REFUSED]
    # and a success ends it
    await tenant.post("/v1/chat/completions", json={"model": "up/good", "messages": HELLO})
    await until(tenant, told=False)
    assert await alerts(tenant) == [REFUSED, ACCEPTED]


async def test_a_connection_can_be_tested_with_and_without_a_model(tenant: LiveTenant) -> None:
    listed = await tenant.call("POST", "/providers/up/test")
    assert (listed["ok"], listed["reason"], listed["models"]) == (True, "ok", 2)
    asked = await tenant.call("POST", "/providers/cl/test", params={"model": "fault:500"})
    assert (asked["ok"], asked["reason"], asked["status"]) == (False, "provider_error", 500)
    dead = await tenant.call("POST", "/providers/dead/test")
    assert (dead["ok"], dead["reason"]) == (False, "refused")


async def test_a_provider_may_be_stored_only_if_it_works(tenant: LiveTenant) -> None:
    body = {"name": "tried", "dialect": "openai", "base_url": f"{tenant.live.dead_url}/v1", "api_key": "sk"}
    headers = {"authorization": f"Bearer {tenant.key}"}
    http, path = tenant.live.http, "/api/ai-advanced/providers?test=true"
    refused = await http.post(path, json=body, headers=headers)
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["pointer"] == "/base_url"
    assert error["detail"].startswith("refused: ")
    assert "tried" not in {each["name"] for each in (await tenant.call("GET", "/providers"))["items"]}
    stored = await http.post(
        path, json=body | {"base_url": tenant.live.upstream.openai_base_url}, headers=headers
    )
    assert stored.status_code == 201


async def test_what_cannot_be_tested_is_told(tenant: LiveTenant) -> None:
    headers = {"authorization": f"Bearer {tenant.key}"}
    http, path = tenant.live.http, "/api/ai-advanced/providers"
    assert (await http.post(f"{path}/nobody/test", headers=headers)).status_code == 404
    wrong = await http.post(f"{path}/up/test?modell=x", headers=headers)
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/modell")
    metadata = {"name": "meta", "dialect": "openai", "base_url": "http://169.254.169.254/v1"}
    assert (await http.post(f"{path}?test=true", json=metadata, headers=headers)).status_code == 422
