"""Memory policies on the real product: they govern the next write and read on every process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def set_policy(tenant: Any, **rules: Any) -> dict[str, Any]:
    answer = await tenant.call("POST", "/memory/policy", json=rules)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def listed(tenant: Any) -> list[str]:
    return [item["content"] for item in (await tenant.call("GET", "/memory")).json()["items"]]


async def test_a_policy_is_read_with_what_it_comes_to(product):
    tenant = await product.tenant()
    first = await set_policy(tenant, ttl_days=365)
    second = await set_policy(tenant, category="support", pii_scrubbing=True, compliance_mode="gdpr")
    read = (await tenant.call("GET", "/memory/policy", params={"category": "support"})).json()
    everything = (await tenant.call("GET", "/memory/policy")).json()
    assert (first["version"], second["version"], first["category"]) == (1, 1, None)
    assert read["effective"]["ttl_days"] == 365
    assert read["effective"]["compliance_mode"] == "gdpr"
    assert {"IBAN", "IP_ADDRESS", "EMAIL"} <= set(read["effective"]["pii_entities"])
    assert [policy["category"] for policy in everything["policies"]] == [None, "support"]
    assert everything["effective"]["compliance_mode"] == "standard"


async def test_a_shorter_ttl_hides_old_memories_at_once_and_to_the_second(product):
    tenant = await product.tenant()
    two_days_ago = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    old = (
        await tenant.call(
            "POST", "/memory", json={"content": "an old tale", "category": "c", "occurred_at": two_days_ago}
        )
    ).json()
    await tenant.call("POST", "/memory", json={"content": "a new tale", "category": "c"})
    assert await listed(tenant) == ["a new tale", "an old tale"]
    await set_policy(tenant, category="c", ttl_days=1)
    hits = (await tenant.call("POST", "/memory/search", json={"query": "tale"})).json()["items"]
    assert await listed(tenant) == [hit["content"] for hit in hits] == ["a new tale"]
    assert (await tenant.call("GET", f"/memory/{old['id']}")).status_code == 404
    expires = datetime.fromisoformat(hits[0]["expires_at"])
    assert expires == datetime.fromisoformat(hits[0]["occurred_at"]) + timedelta(days=1)


async def test_the_shorter_of_policy_and_memory_wins(product):
    tenant = await product.tenant()
    await set_policy(tenant, ttl_days=10)
    long = (await tenant.call("POST", "/memory", json={"content": "long", "ttl_days": 90})).json()
    short = (await tenant.call("POST", "/memory", json={"content": "short", "ttl_days": 3})).json()
    gone = (await tenant.call("POST", "/memory", json={"content": "gone", "ttl_days": 0})).json()
    for made, days in ((long, 10), (short, 3), (gone, 0)):
        end = datetime.fromisoformat(made["occurred_at"]) + timedelta(days=days)
        assert datetime.fromisoformat(made["expires_at"]) == end
    assert set(await listed(tenant)) == {"long", "short"}


async def test_scrubbing_follows_the_category(product):
    tenant = await product.tenant()
    await set_policy(tenant, category="raw", pii_scrubbing=False)
    await set_policy(tenant, category="mail", pii_entities=["EMAIL"])
    await set_policy(tenant, category="strict", compliance_mode="strict")
    text = "mail a@b.example.com or pay with 4111 1111 1111 1111"
    stored = {}
    for category in ("raw", "mail", "strict", "other"):
        answer = await tenant.call("POST", "/memory", json={"content": text, "category": category})
        stored[category] = answer.json()["content"]
    assert stored["raw"] == text
    assert stored["mail"] == "mail [EMAIL] or pay with 4111 1111 1111 1111"
    assert stored["other"] == "mail [EMAIL] or pay with [CREDIT_CARD]"
    assert stored["strict"] == "mail [REDACTED] or pay with [REDACTED]"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"ttl_days": -1}, "/ttl_days"),
        ({"ttl_days": 10**15}, "/ttl_days"),
        ({"ttl_days": "7"}, "/ttl_days"),
        ({"pii_entities": ["NOSE"]}, "/pii_entities/0"),
        ({"compliance_mode": "lax"}, "/compliance_mode"),
        ({"compliance_mode": "strict", "pii_scrubbing": False}, "/pii_scrubbing"),
        ({"category": "a/b"}, "/category"),
        ({"category": "x" * 64}, "/category"),
        ({"retention": 3}, "/retention"),
    ],
)
async def test_unusable_rules_are_refused_by_name(product, body, pointer):
    tenant = await product.tenant()
    refused = await tenant.call("POST", "/memory/policy", json=body)
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer
    assert (await tenant.call("GET", "/memory/policy")).json()["policies"] == []
