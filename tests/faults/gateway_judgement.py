"""What the product makes of an attempt: the health of its target, and the events that tell of the request."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.integration.gateway.live import LiveTenant

RECORDED = "usage.request_recorded"
CHANGED = "orchestration.model_health_changed"
REFUSED = "orchestration.provider_credential_refused"


async def health_of(tenant: LiveTenant) -> dict[str, Any]:
    """Return the health of every model of the tenant by `provider/model`."""
    items = (await tenant.call("GET", "/model-health"))["items"]
    return {f"{item['provider']}/{item['model']}": item for item in items}


async def events_of(tenant: LiveTenant, request_id: str) -> list[str]:
    """Return the types of the events that a request caused."""
    query = {"order": "desc", "limit": 200, "type": "usage.*"}
    items = (await tenant.call("GET", "/audit/events", params=query))["items"]
    return [item["type"] for item in items if item["correlation"] == request_id]


async def told(tenant: LiveTenant, kind: str, **data: Any) -> None:
    """Wait until an event of a type with such data is in the log, and see that there is no second one."""
    query = {"order": "desc", "limit": 200, "type": kind}
    async with asyncio.timeout(30):
        while True:
            items = (await tenant.call("GET", "/audit/events", params=query))["items"]
            found = [item for item in items if data.items() <= item["data"].items()]
            if found:
                break
            await asyncio.sleep(0.05)
    assert len(found) == 1, found


def judged(health: dict[str, Any], target: str, words: str, attempts: int, case: str = "") -> None:
    """Assert what so many attempts at a target that fails in one way say of it."""
    found = health.get(target)
    if words.startswith("429"):
        assert found is not None, case
        assert (found["status"], found["requests"]) == ("throttled", 0), case
    elif words == "context-length" or words == "gone":
        assert found is None or found["requests"] == 0, case
    else:
        assert found is not None, case
        assert (found["requests"], found["error_rate"]) == (attempts, 1.0), case
