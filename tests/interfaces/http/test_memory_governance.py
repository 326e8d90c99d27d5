"""The audit log of memory operations, exports of a person's data, and the end of what has expired."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from application.processes.erasure.cleanup import clean_up
from application.workflows.running import WorkflowRun
from domain.kernel.errors import Unavailable
from domain.workflows.catalogue import MEMORY_TTL_CLEANUP
from tests.erasing import erasure_desk
from tests.interfaces.http.test_memory_purge import add, purge, status_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC)


async def logged(tenant: Any, **filters: Any) -> list[dict[str, Any]]:
    answer = await tenant.call("GET", "/memory/audit-logs", params=filters)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def cleaned(product: Any, tenant: Any, effect_id: str | None = None) -> dict[str, int]:
    """Run the daily clean-up of a tenant as a worker does: again while another one carries out the same."""
    run = WorkflowRun(
        run_id="r",
        tenant=tenant.name,
        definition=MEMORY_TTL_CLEANUP,
        due_at=NOW,
        correlation="c",
        effect_id=effect_id or uuid4().hex,
    )
    async with erasure_desk(product.api.settings, product.api.runtime.where) as (desk, _):
        while True:
            try:
                return dict(await clean_up(run, desk.cleanup_ports))
            except Unavailable:
                await asyncio.sleep(0.1)


async def test_every_operation_leaves_a_line_without_content(product):
    tenant = await product.tenant()
    made = await add(tenant, "Secret of zoe", subject_id="zoe")
    headers = {"x-aios-purpose": "ticket 12, zoe@example.com"}
    search = {"query": "secret", "filters": {"subject_id": "zoe"}}
    await tenant.call("POST", "/memory/search", json=search, headers=headers)
    await tenant.call("GET", f"/memory/{made['id']}")
    await tenant.call("GET", "/memory")
    await tenant.call("POST", "/memory/policy", json={"category": "support", "ttl_days": 30})
    await tenant.call("POST", "/memory/export", json={"subject_id": "zoe", "purpose": "art. 15"})
    hold = (await tenant.call("POST", "/memory/holds", json={"reason": "x", "subject_id": "zoe"})).json()
    await purge(tenant, 409, subject_id="zoe")
    await tenant.call("DELETE", f"/memory/holds/{hold['hold_id']}")
    await purge(tenant, subject_id="zoe")
    # when
    lines = await logged(tenant)
    # then
    done = ["add", "search", "read", "list", "policy", "export", "hold", "purge", "release", "purge"]
    assert sorted(line["action"] for line in lines) == sorted(done)
    by_action = {line["action"]: line for line in lines}
    assert by_action["search"]["purpose"] == "ticket 12, [EMAIL]"
    assert by_action["search"]["counts"] == {"found": 1}
    assert by_action["export"]["counts"] == {"memories": 1, "requests": 0}
    assert {line["outcome"] for line in lines if line["action"] == "purge"} == {"ok", "409"}
    assert all(line["actor"].startswith("key/") for line in lines)
    raw = str(lines)
    assert "zoe" not in raw
    assert "Secret" not in raw


async def test_the_audit_log_is_filtered_and_paged(product):
    tenant = await product.tenant()
    for name in ("a", "b", "a"):
        await add(tenant, f"About {name}", subject_id=name)
    await tenant.call("GET", "/memory")
    assert len(await logged(tenant, subject_id="a")) == 2
    assert [line["action"] for line in await logged(tenant, action="list")] == ["list"]
    actor = (await logged(tenant))[0]["actor"]
    assert len(await logged(tenant, actor=actor)) == 4
    assert await logged(tenant, actor="key/other") == []
    assert await logged(tenant, to=(NOW - timedelta(days=1)).isoformat()) == []
    first = (await tenant.call("GET", "/memory/audit-logs", params={"limit": 3})).json()
    rest = {"limit": 3, "cursor": first["next_cursor"]}
    second = (await tenant.call("GET", "/memory/audit-logs", params=rest)).json()
    seen = [(line["position"], line["number"]) for line in first["items"] + second["items"]]
    assert len(seen) == len(set(seen)) == 4
    assert second["next_cursor"] is None
    assert (await tenant.call("GET", "/memory/audit-logs", params={"action": "dance"})).status_code == 422


async def test_an_export_holds_everything_about_one_person(product):
    tenant, other = await product.tenant(), await product.tenant()
    await add(tenant, "Mia sails", subject_id="mia", metadata={"n": 1})
    await add(tenant, "Noa climbs", subject_id="noa")
    await add(other, "Mia elsewhere", subject_id="mia")
    answer = await tenant.call("POST", "/memory/export", json={"subject_id": "mia"})
    document = answer.json()
    assert [memory["content"] for memory in document["memories"]] == ["Mia sails"]
    assert document["memories"][0]["metadata"] == {"n": 1}
    assert {line["action"] for line in document["operations"]} == {"add", "export"}
    assert "Noa" not in answer.text
    assert "elsewhere" not in answer.text
    nobody = (await tenant.call("POST", "/memory/export", json={"subject_id": "nobody"})).json()
    assert (nobody["memories"], nobody["requests"]) == ([], [])
    assert (await tenant.call("POST", "/memory/export", json={})).status_code == 422


async def test_the_cleanup_destroys_what_is_over_and_spares_what_is_held(product):
    tenant = await product.tenant()
    await tenant.call("POST", "/memory/policy", json={"category": "support", "ttl_days": 30})
    month = (NOW - timedelta(days=75)).replace(day=20)
    over = await add(tenant, "Over", subject_id="ola", occurred_at=month.isoformat())
    held = await add(tenant, "Over but held", subject_id="pia", occurred_at=month.isoformat())
    own = await add(
        tenant, "Own days", subject_id="ola", occurred_at=(NOW - timedelta(days=3)).isoformat(), ttl_days=2
    )
    kept = await add(tenant, "Kept", subject_id="ola", occurred_at=(NOW - timedelta(days=1)).isoformat())
    other = await add(tenant, "No policy", subject_id="ola", category="notes", occurred_at=month.isoformat())
    hold = (await tenant.call("POST", "/memory/holds", json={"reason": "x", "subject_id": "pia"})).json()
    # when
    counts = await cleaned(product, tenant)
    # then
    assert counts["memories"] == 2
    assert [await status_of(tenant, each) for each in (over, held, own, kept, other)] == [
        404,
        404,
        404,
        200,
        200,
    ]
    [done] = (await tenant.call("GET", "/memory/purges")).json()["items"]
    assert (done["origin"], done["reason"], done["status"]) == ("ttl", "ttl", "completed")
    certificate = (await tenant.call("GET", f"/memory/purges/{done['purge_id']}/certificate")).json()
    assert certificate["holds_met"] == [hold["hold_id"]]
    # and nothing is left to do, until the hold ends
    assert await cleaned(product, tenant) == {"memories": 0}
    await tenant.call("DELETE", f"/memory/holds/{hold['hold_id']}")
    assert (await cleaned(product, tenant))["memories"] == 1
    assert (await purge(tenant, subject_id="pia"))["erased"]["memories"] == 0


async def test_the_cleanup_destroys_the_text_of_what_was_deleted(product):
    tenant = await product.tenant()
    gone = await add(tenant, "Deleted", subject_id="quin")
    kept = await add(tenant, "Stays", subject_id="quin")
    await tenant.call("DELETE", f"/memory/{gone['id']}")
    before = (await tenant.call("GET", f"/memory/{kept['id']}")).content
    # when
    await cleaned(product, tenant)
    # then
    assert (await tenant.call("GET", f"/memory/{kept['id']}")).content == before
    events = await tenant.call("GET", "/audit/events", params={"type": "memory.added", "reveal": "true"})
    assert '"Deleted"' not in events.text
    assert await cleaned(product, tenant) == {"memories": 0}


async def test_the_public_key_is_the_installations_own(product):
    tenant = await product.tenant()
    [key] = (await tenant.call("GET", "/audit/keys")).json()["items"]
    Ed25519PublicKey.from_public_bytes(base64.b64decode(key["public_key"]))
    assert key["algorithm"] == "Ed25519"
