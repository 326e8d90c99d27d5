"""Quotas on the real product: setting, reading, and what bad input is told."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH = "/usage/quota"


async def test_without_a_quota_nothing_is_limited(product):
    tenant = await product.tenant()

    found = (await tenant.call("GET", PATH)).json()

    assert (found["scope"], found["monthly_token_limit"], found["remaining"]) == ("tenant", None, None)
    assert (found["used"], found["held"], found["state"]) == (0, 0, "ok")
    assert found["period_start"] < found["period_end"]


async def test_a_quota_is_read_as_it_was_set_and_null_removes_it(product):
    tenant = await product.tenant()

    put = await tenant.call("PUT", PATH, json={"monthly_token_limit": 1000, "monthly_cost_limit_usd": 2.5})
    got = (await tenant.call("GET", PATH)).json()
    gone = await tenant.call("PUT", PATH, json={"monthly_token_limit": None, "monthly_cost_limit_usd": None})

    body = put.json()
    assert put.status_code == 200, put.text
    assert put.headers["x-aios-position"] == str(body.pop("position"))
    assert body == got
    assert (got["monthly_token_limit"], got["monthly_cost_limit_usd"]) == (1000, "2.500000")
    assert (got["unit"], got["used"], got["held"], got["remaining"], got["state"]) == (
        "tokens",
        0,
        0,
        1000,
        "ok",
    )
    assert (gone.json()["monthly_token_limit"], gone.json()["remaining"]) == (None, None)


async def test_money_alone_is_told_in_dollars(product):
    tenant = await product.tenant()

    put = (await tenant.call("PUT", PATH, json={"monthly_cost_limit_usd": "0.25"})).json()

    assert (put["unit"], put["remaining"], put["monthly_cost_limit_micros"]) == ("usd", 0.25, 250_000)


@pytest.mark.parametrize("scope", ["workspace", "key", "user", "segment"])
async def test_every_scope_has_a_quota_of_its_own(product, scope):
    tenant = await product.tenant()
    params = {"scope": scope, "id": "it"}

    put = await tenant.call("PUT", PATH, params=params, json={"monthly_token_limit": 7})
    said = await tenant.call("PUT", PATH, json={"scope": scope, "id": "it", "monthly_token_limit": 8})
    got = (await tenant.call("GET", PATH, params=params)).json()

    assert (put.status_code, said.status_code) == (200, 200)
    assert (got["scope"], got["id"], got["monthly_token_limit"]) == (scope, "it", 8)
    assert (await tenant.call("GET", PATH)).json()["monthly_token_limit"] is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"monthly_token_limit": -5}, "/monthly_token_limit"),
        ({"monthly_token_limit": 10**30}, "/monthly_token_limit"),
        ({"monthly_token_limit": "many"}, "/monthly_token_limit"),
        ({"monthly_cost_limit_usd": -0.01}, "/monthly_cost_limit_usd"),
        ({"monthly_cost_limit_usd": "NaN"}, "/monthly_cost_limit_usd"),
        ({"soft_cap_threshold": 1.5}, "/soft_cap_threshold"),
        ({"hard_cap_enabled": "yes"}, "/hard_cap_enabled"),
        ({"time_zone": "Nowhere/Land"}, "/time_zone"),
        ({"monthly_cost_limit_usd": 1, "currency": "XYZ"}, "/currency"),
        ({"monthly_token_limit": 0}, "/monthly_token_limit"),
        ({"monthly_cost_limit_usd": "1e40"}, "/monthly_cost_limit_usd"),
        ({"soft_cap_threshold": -0.1}, "/soft_cap_threshold"),
        ({"colour": "red"}, "/colour"),
        ({"scope": "planet"}, "/scope"),
        ({"scope": "workspace"}, "/id"),
        ({"id": "x"}, "/id"),
    ],
)
async def test_bad_input_is_told_where_it_stands(product, body, pointer):
    tenant = await product.tenant()

    refused = await tenant.call("PUT", PATH, json=body)

    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer


async def test_only_operators_set_quotas(product):
    tenant = await product.tenant()
    service = await tenant.key("service")

    read = await product.call(service, "GET", PATH)
    refused = await product.call(service, "PUT", PATH, json={"monthly_token_limit": 5})

    assert (read.status_code, refused.status_code) == (200, 403)
