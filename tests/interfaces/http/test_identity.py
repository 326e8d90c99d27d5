"""Tenants and keys on the real product: what is made is read at once, and shown once."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_new_tenant_has_an_admin_key_that_works_and_is_listed(product):
    founded = await product.platform("POST", "/tenants", json={"tenant_id": "acme", "name": "Acme Inc."})

    body = founded.json()
    assert founded.status_code == 201
    assert (body["tenant_id"], body["name"]) == ("acme", "Acme Inc.")
    assert founded.headers["x-aios-position"] == str(body["position"])
    who = (await product.call(body["admin_key"], "GET", "/session")).json()
    assert (who["tenant"], who["roles"]) == ("acme", ["admin"])
    listed = (await product.platform("GET", "/tenants")).json()["items"]
    assert "acme" in {tenant["tenant_id"] for tenant in listed}
    assert body["admin_key"] not in str(listed)


async def test_a_name_is_taken_once_and_bad_names_are_told(product):
    tenant = await product.tenant()

    taken = await product.platform("POST", "/tenants", json={"tenant_id": tenant.name, "name": "x"})
    bad = await product.platform("POST", "/tenants", json={"tenant_id": "Not Good", "name": ""})

    assert (taken.status_code, taken.json()["type"]) == (409, "urn:aios:problem:name-taken")
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["pointer"] in {"/tenant_id", "/name"}


async def test_tenants_come_in_pages(product):
    names = sorted([(await product.tenant()).name for _ in range(3)])

    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await product.platform("GET", "/tenants", params=params)).json()
        assert len(page["items"]) <= 2
        seen += [item["tenant_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == sorted(set(seen))
    assert set(names) <= set(seen)


async def test_a_key_works_until_it_is_revoked_and_is_never_shown_again(product):
    tenant = await product.tenant()
    made = (await tenant.call("POST", "/keys", json={"name": "ci", "roles": ["service"]})).json()
    assert (await product.call(made["key"], "GET", "/usage/summary")).status_code == 200

    revoked = await tenant.call("DELETE", f"/keys/{made['key_id']}")

    assert (revoked.status_code, revoked.json()["status"]) == (200, "revoked")
    assert (await product.call(made["key"], "GET", "/usage/summary")).status_code == 401
    listed = {key["key_id"]: key for key in (await tenant.call("GET", "/keys")).json()["items"]}
    assert listed[made["key_id"]]["status"] == "revoked"
    assert made["key"] not in str(listed)


async def test_signing_in_ends_with_the_key(product):
    tenant = await product.tenant()
    made = (await tenant.call("POST", "/keys", json={"name": "ann", "roles": ["auditor"]})).json()
    signed_in = await product.client.post("/api/ai-advanced/session", json={"api_key": made["key"]})
    cookie = {"cookie": signed_in.headers["set-cookie"].partition(";")[0]}
    product.client.cookies.clear()
    assert (await product.client.get("/api/ai-advanced/session", headers=cookie)).status_code == 200

    await tenant.call("DELETE", f"/keys/{made['key_id']}")

    assert (await product.client.get("/api/ai-advanced/session", headers=cookie)).status_code == 401


async def test_nobody_reaches_another_tenant_s_keys(product):
    one, other = await product.tenant(), await product.tenant()
    made = (await other.call("POST", "/keys", json={"name": "x", "roles": ["service"]})).json()

    assert (await one.call("DELETE", f"/keys/{made['key_id']}")).status_code == 404
    assert (await one.call("GET", "/keys", params={"tenant_id": other.name})).status_code == 403
    assert made["key_id"] not in (await one.call("GET", "/keys")).text
    seen = await product.platform("GET", "/keys", params={"tenant_id": other.name})
    assert made["key_id"] in seen.text


async def test_rights_cannot_be_raised(product):
    tenant = await product.tenant()

    body = {"name": "x", "roles": ["platform"]}
    refused = await tenant.call("POST", "/keys", json=body)
    foreign = await tenant.call("POST", "/keys", json={**body, "roles": ["service"], "tenant_id": "default"})

    assert (refused.status_code, foreign.status_code) == (403, 403)


async def test_a_key_bound_to_a_workspace_sees_and_makes_keys_of_it_alone(product):
    tenant = await product.tenant()
    bound = await tenant.key("admin", workspace_id="sales")

    other = await product.call(bound, "POST", "/keys", json={"name": "x", "roles": ["service"]})
    own = await product.call(
        bound, "POST", "/keys", json={"name": "y", "roles": ["service"], "workspace_id": "sales"}
    )
    listed = (await product.call(bound, "GET", "/keys")).json()["items"]

    assert (other.status_code, own.status_code) == (403, 201)
    assert {key["workspace_id"] for key in listed} == {"sales"}


async def test_a_repeated_creation_returns_the_same_key_and_makes_one(product):
    tenant = await product.tenant()
    options = {"json": {"name": "ci", "roles": ["service"]}, "headers": {"idempotency-key": "make-ci"}}

    first = await tenant.call("POST", "/keys", **options)
    again = await tenant.call("POST", "/keys", **options)

    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    names = [key["name"] for key in (await tenant.call("GET", "/keys")).json()["items"]]
    assert names.count("ci") == 1


async def test_keys_expire(product):
    tenant = await product.tenant()

    past = await tenant.call(
        "POST", "/keys", json={"name": "x", "roles": ["service"], "expires_at": "2020-01-01T00:00:00Z"}
    )

    assert past.status_code == 422
    assert past.json()["errors"][0]["pointer"] == "/expires_at"


async def test_a_creation_whose_answer_was_lost_in_a_crash_gives_the_same_key_again(product):
    tenant = await product.tenant()
    options = {"json": {"name": "ci", "roles": ["service"]}, "headers": {"idempotency-key": "make-ci"}}
    lost = (await tenant.call("POST", "/keys", **options)).json()
    async with product.api.runtime.app_pool.connection() as connection:  # as if it died before keeping it
        await connection.execute("SELECT set_config('aios.tenant', %s, true)", [tenant.name])
        await connection.execute("UPDATE idempotency SET answer = NULL, lease_until = now()")

    again = await tenant.call("POST", "/keys", **options)

    assert (again.status_code, again.json()["key"]) == (201, lost["key"])
    assert "idempotent-replayed" not in again.headers
    names = [key["name"] for key in (await tenant.call("GET", "/keys")).json()["items"]]
    assert names.count("ci") == 1
