"""Workflows and model health on the real product."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAME = "model-health-check"


async def test_workflows_are_listed_with_their_settings(product):
    items = (await product.platform("GET", "/workflows")).json()["items"]

    found = next(item for item in items if item["name"] == NAME)
    assert (found["interval_s"], found["enabled"]) == (300, True)
    assert found["next_run_at"] is not None


async def test_a_change_is_seen_at_once_and_null_takes_it_back(product):
    changed = await product.platform("PATCH", f"/workflows/{NAME}", json={"interval_s": 600})
    listed = (await product.platform("GET", "/workflows")).json()["items"]
    restored = await product.platform("PATCH", f"/workflows/{NAME}", json={"interval_s": None})

    assert (changed.status_code, changed.json()["interval_s"]) == (200, 600)
    assert next(item for item in listed if item["name"] == NAME)["interval_s"] == 600
    assert restored.json()["interval_s"] == 300


async def test_a_run_that_is_asked_for_is_queued_and_listed(product):
    queued = await product.platform("POST", f"/workflows/{NAME}/run")
    runs = (await product.platform("GET", "/workflows/runs", params={"workflow": NAME})).json()["items"]

    assert (queued.status_code, queued.json()["status"]) == (202, "queued")
    assert queued.json()["run_id"] in {run["run_id"] for run in runs}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/workflows/nothing/run", None, 404),
        ("PATCH", "/workflows/nothing", {"enabled": True}, 404),
        ("PATCH", f"/workflows/{NAME}", {"interval_s": 5}, 422),
        ("PATCH", f"/workflows/{NAME}", {"cron": "every day at noon"}, 422),
        ("PATCH", f"/workflows/{NAME}", {"interval": 500}, 422),
        ("PATCH", f"/workflows/{NAME}", None, 422),
    ],
)
async def test_unusable_requests_are_refused(product, method, path, body, status):
    options = {} if body is None else {"json": body}

    assert (await product.platform(method, path, **options)).status_code == status


async def test_configured_models_have_a_health_of_unknown(product):
    tenant = await product.tenant()

    items = (await tenant.call("GET", "/model-health")).json()["items"]

    local = next(item for item in items if item["provider"] == "local")
    assert (local["status"], local["requests"], local["error_rate"]) == ("unknown", 0, None)
    assert {"avg_latency_ms", "p50", "p95", "window_s", "last_transition"} <= set(local)
