"""Model policies on the real product: set, read back at once, at any version and time."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULE = {"segment": "enterprise", "provider": "local", "model": "smollm2", "fallback": ["openai/gpt-large"]}


async def test_a_policy_is_read_as_it_was_set(product):
    tenant = await product.tenant()

    done = await tenant.call("POST", "/model-policy/set", json={"workspace_id": "sales", "rules": [RULE]})
    read = await tenant.call("GET", "/model-policy", params={"workspace_id": "sales"})

    assert done.status_code == 200
    assert (done.json()["version"], read.json()["version"]) == (1, 1)
    assert done.headers["x-aios-position"] == str(done.json()["position"])
    rule = read.json()["rules"][0]
    assert {key: rule[key] for key in RULE} == RULE
    assert any("openai" in warning for warning in done.json()["warnings"])
    assert read.json()["set_by"].startswith("key/")


async def test_versions_can_be_read_by_number_and_time(product):
    tenant = await product.tenant()
    first = (await tenant.call("POST", "/model-policy/set", json={"rules": [RULE]})).json()
    second = (await tenant.call("POST", "/model-policy/set", json={"rules": []})).json()

    by_number = await tenant.call("GET", "/model-policy", params={"version": 1})
    by_time = await tenant.call("GET", "/model-policy", params={"at": first["set_at"]})
    newest = await tenant.call("GET", "/model-policy")

    assert (first["version"], second["version"]) == (1, 2)
    assert by_number.json() == by_time.json()
    assert len(by_number.json()["rules"]) == 1
    assert newest.json()["rules"] == []


async def test_history_tells_who_changed_what_page_by_page(product):
    tenant = await product.tenant()
    for budget in (100, 200, 200):
        await tenant.call(
            "POST", "/model-policy/set", json={"rules": [{**RULE, "latency_budget_ms": budget}]}
        )

    first = (await tenant.call("GET", "/model-policy/history", params={"limit": 2})).json()
    rest = (
        await tenant.call("GET", "/model-policy/history", params={"limit": 2, "cursor": first["next_cursor"]})
    ).json()

    assert [step["version"] for step in first["items"] + rest["items"]] == [3, 2, 1]
    assert rest["next_cursor"] is None
    assert first["items"][0]["diff"] == []
    assert first["items"][1]["diff"] == [{"path": "/rules/0/latency_budget_ms", "old": 100, "new": 200}]


async def test_what_was_never_set_is_404_and_foreign_policies_are_never_seen(product):
    one, other = await product.tenant(), await product.tenant()
    await one.call("POST", "/model-policy/set", json={"rules": [RULE]})

    assert (await other.call("GET", "/model-policy")).status_code == 404
    assert (await one.call("GET", "/model-policy", params={"version": 9})).status_code == 404
    assert (await one.call("GET", "/model-policy", params={"at": "2020-01-01"})).status_code == 404
    assert (await other.call("GET", "/model-policy/history")).json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/rules"),
        ({"rules": [RULE, {**RULE, "colour": "red"}]}, "/rules/1/colour"),
        ({"rules": [{**RULE, "latency_budget_ms": 0}]}, "/rules/0/latency_budget_ms"),
        ({"rules": [{**RULE, "latency_budget_ms": "100"}]}, "/rules/0/latency_budget_ms"),
        ({"rules": [{**RULE, "fallback": "x"}]}, "/rules/0/fallback"),
        ({"rules": [{"segment": "a"}]}, "/rules/0/provider"),
        ({"rules": {}}, "/rules"),
        ({"rules": [], "workspace_id": "../x"}, "/workspace_id"),
        ({"rules": [], "fallback_strategy": "best"}, "/fallback_strategy"),
        ({"rules": [], "auto_fallback_enabled": "yes"}, "/auto_fallback_enabled"),
    ],
)
async def test_unusable_policies_are_refused_by_name_and_change_nothing(product, body, pointer):
    tenant = await product.tenant()

    answer = await tenant.call("POST", "/model-policy/set", json=body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await tenant.call("GET", "/model-policy")).status_code == 404


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"version": "x"}, "/version"),
        ({"version": 0}, "/version"),
        ({"version": 10**30}, "/version"),
        ({"at": "yesterday"}, "/at"),
        ({"at": "2026-13-01"}, "/at"),
        ({"version": 1, "at": "2026-01-01"}, "/at"),
        ({"workspace_id": "a b"}, "/workspace_id"),
        ({"limit": 1}, "/limit"),
    ],
)
async def test_unusable_parameters_are_refused_by_name(product, params, pointer):
    tenant = await product.tenant()

    answer = await tenant.call("GET", "/model-policy", params=params)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("cursor", ["x", "", "!!!", "W10", "eyJhIjoxfQ", "WyJ0ZW5hbnRzIiwieCJd"])
async def test_cursors_of_nothing_or_another_list_are_refused(product, cursor):
    tenant = await product.tenant()

    answer = await tenant.call("GET", "/model-policy/history", params={"cursor": cursor})

    assert answer.status_code in ({200} if cursor == "" else {422})


async def test_a_key_of_a_workspace_keeps_to_it(product):
    tenant = await product.tenant()
    key = await tenant.key("operator", workspace_id="sales")

    own = await product.call(
        key, "POST", "/model-policy/set", json={"workspace_id": "sales", "rules": [RULE]}
    )
    other = await product.call(key, "POST", "/model-policy/set", json={"rules": [RULE]})

    assert (own.status_code, other.status_code) == (200, 403)
    assert (await product.call(key, "GET", "/model-policy")).status_code == 403
