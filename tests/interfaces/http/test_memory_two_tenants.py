"""Whatever two tenants do, neither's export, purge, holds or audit log shows or touches the other's."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interfaces.http.test_memory_purge import add, purge

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERSONS = st.sampled_from(["one", "two"])
CATEGORIES = st.sampled_from(["support", "notes"])
ADDING = st.lists(st.tuples(st.booleans(), PERSONS, CATEGORIES), min_size=2, max_size=6)
SELECTORS = st.fixed_dictionaries({}, optional={"subject_id": PERSONS, "category": CATEGORIES}).filter(bool)


async def texts(tenant: Any) -> dict[str, str]:
    """Everything that a tenant's administrator can read of memories, by where."""
    found = {
        path: (await tenant.call("GET", path)).text
        for path in ("/memory?limit=500", "/memory/audit-logs?limit=500", "/memory/purges", "/memory/holds")
    }
    for person in ("one", "two"):
        answer = await tenant.call("POST", "/memory/export", json={"subject_id": person})
        found[f"export of {person}"] = answer.text
    return found


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(adding=ADDING, selector=SELECTORS)
async def test_no_tenant_sees_or_erases_anything_of_another(product, adding, selector):
    tenants = [await product.tenant(), await product.tenant()]
    marks = [f"mark{secrets.token_hex(6)}" for _ in tenants]
    for second, person, category in adding:
        await add(tenants[second], f"{marks[second]} says {person}", subject_id=person, category=category)
    before = (await tenants[1].call("GET", "/memory?limit=500")).content
    # when
    done = await purge(tenants[0], **selector)
    # then
    reached = [
        (person, category)
        for second, person, category in adding
        if not second
        and selector.get("subject_id", person) == person
        and selector.get("category", category) == category
    ]
    assert done["erased"]["memories"] == len(reached)
    assert (await tenants[1].call("GET", "/memory?limit=500")).content == before
    for tenant, foreign in zip(tenants, reversed(marks), strict=True):
        other = tenants[1 - tenants.index(tenant)]
        for place, text in (await texts(tenant)).items():
            assert foreign not in text, place
            assert other.name not in text, place
    for path in (f"/memory/purges/{done['purge_id']}", f"/memory/purges/{done['purge_id']}/certificate"):
        assert (await tenants[1].call("GET", path)).status_code == 404
    assert (await tenants[1].call("GET", "/memory/purges")).json()["items"] == []
