"""Providers on the real product: credentials go in and never come out, anywhere."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "upstream-secret-0123456789"
MINE = {
    "name": "mine",
    "dialect": "openai",
    "base_url": "http://127.0.0.1:9/v1/",
    "api_key": SECRET,
    "headers": {"x-project": SECRET},
    "models": [{"name": "m1", "prices": {"input_per_mtok_usd": "0.15", "output_per_mtok_usd": 2}}],
}


async def test_a_provider_is_usable_and_listed_after_the_answer(product):
    tenant = await product.tenant()

    made = await tenant.call("POST", "/providers", json=MINE)
    listed = {item["name"]: item for item in (await tenant.call("GET", "/providers")).json()["items"]}

    assert made.status_code == 201
    assert made.json()["position"] > 0
    assert listed["mine"]["base_url"] == "http://127.0.0.1:9/v1"
    assert (listed["mine"]["api_key_set"], listed["mine"]["header_names"]) == (True, ["x-project"])
    assert listed["mine"]["models"][0]["prices"]["input_per_mtok_usd"] == "0.15"
    assert listed["local"]["builtin"] is True


async def test_the_credential_is_in_no_answer_and_no_event(product):
    tenant = await product.tenant()
    texts = [
        (await tenant.call("POST", "/providers", json=MINE)).text,
        (await tenant.call("GET", "/providers")).text,
        (await tenant.call("GET", "/audit/events")).text,
        (await tenant.call("GET", "/audit/events", params={"reveal": "true"})).text,
        (await tenant.call("GET", "/audit/events", params={"type": "orchestration.*"})).text,
    ]

    assert "provider_registered" in texts[-1]
    assert all(SECRET not in text for text in texts)


async def test_a_removed_provider_is_gone_and_another_tenant_never_had_it(product):
    one, other = await product.tenant(), await product.tenant()
    await one.call("POST", "/providers", json=MINE)

    assert (await other.call("DELETE", "/providers/mine")).status_code == 404
    removed = await one.call("DELETE", "/providers/mine")

    assert (removed.status_code, removed.json()["name"]) == (200, "mine")
    names = {item["name"] for item in (await one.call("GET", "/providers")).json()["items"]}
    assert "mine" not in names
    assert (await one.call("DELETE", "/providers/mine")).status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"base_url": "ftp://x"}, 422, "/base_url"),
        ({"base_url": "http://169.254.169.254/v1"}, 422, "/base_url"),
        ({"dialect": "other"}, 422, "/dialect"),
        ({"models": [{"name": ""}]}, 422, "/models/0/name"),
        ({"models": [{"name": "m", "price": 1}]}, 422, "/models/0/price"),
        ({"name": "openai"}, None, "/name"),
        ({"api_key": 5}, 422, "/api_key"),
    ],
)
async def test_unusable_providers_are_refused_by_name_without_the_credential(
    product, change, status, pointer
):
    tenant = await product.tenant()

    answer = await tenant.call("POST", "/providers", json={**MINE, **change})

    assert answer.status_code in ({409, 422} if status is None else {status})
    assert answer.json().get("errors", [{"pointer": pointer}])[0]["pointer"] == pointer
    assert SECRET not in answer.text
