"""The demo tenant: realistic, through real events, and the same however often it is loaded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.product import Product

DAYS_30 = 30


@pytest.fixture(scope="module")
def loaded(product: Product) -> dict[str, Any]:
    done = product.cli("demo", "load", "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def get(product: Product, loaded: dict[str, Any], path: str, **params: Any) -> Any:
    with product.client(loaded["admin_key"]) as client:
        answer = client.get(f"/api/ai-advanced{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def span(product: Product, loaded: dict[str, Any]) -> dict[str, str]:
    return {"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}


def test_loading_it_again_changes_nothing_and_shows_the_same_keys(
    product: Product, loaded: dict[str, Any]
) -> None:
    again = json.loads(product.cli("demo", "load", "--json").stdout)
    assert (loaded["requests"], again["new_requests"]) == (2000, 0)
    assert (again["admin_key"], again["keys"]) == (loaded["admin_key"], loaded["keys"])


def test_there_is_a_key_of_each_role(product: Product, loaded: dict[str, Any]) -> None:
    roles = {role for key in loaded["keys"] for role in key["roles"]}
    assert roles == {"operator", "auditor", "service"}
    for key in loaded["keys"]:
        with product.client(key["key"]) as client:
            assert client.get("/v1/models").status_code in {200, 403}


def test_the_policy_has_versions_and_several_rules(product: Product, loaded: dict[str, Any]) -> None:
    policy = get(product, loaded, "/model-policy", workspace_id="default")
    assert (policy["version"], len(policy["rules"])) == (3, 3)
    assert get(product, loaded, "/model-policy", workspace_id="support")["version"] == 2
    assert "acme-llm" in [each["name"] for each in get(product, loaded, "/providers")["items"]]


def test_its_usage_has_several_models_providers_segments_users_outcomes_and_real_prices(
    product: Product, loaded: dict[str, Any]
) -> None:
    for by, least in (("model", 6), ("provider", 4), ("workspace", 2), ("segment", 3), ("user", 20)):
        answer = get(product, loaded, "/usage/breakdown", by=by, **span(product, loaded))
        assert len(answer["items"]) >= least, (by, answer)
    with product.client(loaded["admin_key"]) as client:
        lines = client.get("/api/ai-advanced/usage/events", params=span(product, loaded)).text.splitlines()
    events = [json.loads(line) for line in lines]
    assert len(events) == 2000
    summary = get(product, loaded, "/usage/summary", **span(product, loaded))
    assert summary["requests"] == 2000
    assert summary["cost_micros"] == sum(event["cost_micros"] or 0 for event in events) > 1_000_000
    assert 0.9 < summary["success_rate"] < 1
    assert {event["outcome"] for event in events} == {"succeeded", "failed", "cancelled"}


def test_the_log_still_verifies(product: Product, loaded: dict[str, Any]) -> None:
    assert product.cli("audit", "verify").returncode == 0
