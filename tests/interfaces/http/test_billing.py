"""Billing on the real product: plans, subscriptions, credits, previews, and what bad input is told."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from application.ports import AppendRequest, NewEvent
from domain.kernel.request_record import TokenCounts
from tests.projections.usage_world import request

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHARGE = {"charge_id": "tokens", "name": "Tokens", "price_per_mtok": "2.50"}


def plan(**fields: Any) -> dict[str, Any]:
    return {
        "plan_id": f"plan-{secrets.token_hex(4)}",
        "name": "Pro",
        "currency": "USD",
        "charges": [CHARGE],
        **fields,
    }


async def publish(product: Any, **fields: Any) -> Any:
    answer = await product.platform("POST", "/billing/plans", json=plan(**fields))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def use(product: Any, tenant: Any, **fields: Any) -> None:
    """Append the record of a request that begins now."""
    event = request(**{"started_at": datetime.now(UTC), **fields})
    stream = f"{tenant.name}/request/{secrets.token_hex(6)}"
    await product.api.runtime.committer.append(
        AppendRequest(tenant=tenant.name, command_id=stream, events=(NewEvent(stream, event),))
    )


async def test_without_a_subscription_the_preview_shows_usage_at_cost(product):
    tenant = await product.tenant()
    await use(product, tenant, cost_micros=1_234_567)

    found = (await tenant.call("GET", "/billing/preview")).json()

    assert (found["plan"], found["subscribed"], found["closes_at"]) == ("at-cost@1", False, None)
    assert (found["total_minor"], found["total"], found["currency"]) == (123, "1.23", "USD")
    assert [line["kind"] for line in found["lines"]] == ["usage"]


async def test_a_subscription_is_previewed_by_its_plan_and_credits_pay(product):
    tenant = await product.tenant()
    made = await publish(product, base_fee="10", included_tokens=1_000_000)
    subscribed = await tenant.call("POST", "/billing/subscription", json={"plan_id": made["plan_id"]})
    credit = await product.platform(
        "POST",
        "/billing/credits",
        json={"amount": "1.50", "currency": "USD", "note": "welcome", "tenant_id": tenant.name},
    )
    await use(product, tenant, usage=TokenCounts(input=900_000, output=9_100_000))

    found = (await tenant.call("GET", "/billing/preview")).json()

    assert subscribed.status_code == credit.status_code == 201, subscribed.text + credit.text
    assert subscribed.headers["x-aios-position"] == str(subscribed.json()["position"])
    assert subscribed.json()["plan"]["version"] == 1
    usage = next(line for line in found["lines"] if line["kind"] == "usage")
    now = datetime.now(UTC)
    month_days = ((now.replace(day=1) + timedelta(days=32)).replace(day=1) - now.replace(day=1)).days
    included = 1_000_000 * (month_days - now.day + 1) // month_days
    assert usage["quantity"] == 10_000_000
    assert usage["included"] == included
    assert usage["amount_minor"] == round((10_000_000 - included) * 2.5 / 10_000)
    assert found["credits"] == "1.50"
    assert found["total_minor"] == sum(line["amount_minor"] for line in found["lines"])
    listed = (await tenant.call("GET", "/billing/credits")).json()["items"]
    assert [(c["remaining"], c["note"]) for c in listed] == [("1.50", "welcome")]


async def test_a_preview_of_a_position_or_time_is_the_same_for_ever(product):
    tenant = await product.tenant()
    await use(product, tenant, cost_micros=1_000_000)
    first = await tenant.call("GET", "/billing/preview")
    position, moment = first.json()["as_of_position"], datetime.now(UTC)

    await use(product, tenant, cost_micros=5_000_000)
    again = await tenant.call("GET", "/billing/preview", params={"position": position})
    then = await tenant.call("GET", "/billing/preview", params={"at": moment.isoformat()})
    later = await tenant.call("GET", "/billing/preview")

    assert again.content == first.content
    assert then.json()["total_minor"] == 100
    assert later.json()["total_minor"] == 600


async def test_a_change_of_plan_is_shown_as_upcoming_and_a_subscription_ends(product):
    tenant = await product.tenant()
    await tenant.call("POST", "/billing/subscription", json={"plan_id": "at-cost"})
    made = await publish(product)
    changed = await tenant.call("POST", "/billing/subscription", json={"plan_id": made["plan_id"]})

    state = (await tenant.call("GET", "/billing/subscription")).json()
    ended = await tenant.call("DELETE", "/billing/subscription")
    after = (await tenant.call("GET", "/billing/subscription")).json()

    assert state["current"]["plan"]["plan_id"] == "at-cost"
    assert state["upcoming"]["plan"]["plan_id"] == made["plan_id"]
    assert state["upcoming"]["effective_at"] == changed.json()["effective_at"] == ended.json()["ends_at"]
    assert after["upcoming"] is None


async def test_a_private_offer_is_seen_and_taken_by_its_tenant_alone(product):
    tenant, other = await product.tenant(), await product.tenant()
    made = await publish(product, tenant_id=tenant.name)

    seen = [
        made["plan_id"]
        in [p["plan_id"] for p in (await t.call("GET", "/billing/plans?limit=500")).json()["items"]]
        for t in (tenant, other)
    ]
    taken = [
        (await t.call("POST", "/billing/subscription", json={"plan_id": made["plan_id"]})).status_code
        for t in (tenant, other)
    ]

    assert seen == [True, False]
    assert taken == [201, 404]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"currency": "XXX"}, "/currency"),
        ({"currency": "usd"}, "/currency"),
        ({"base_fee": -1}, "/base_fee"),
        ({"base_fee": "0.001"}, "/base_fee"),
        ({"base_fee": "NaN"}, "/base_fee"),
        ({"currency": "JPY", "minimum": "0.5"}, "/minimum"),
        ({"included_tokens": -5}, "/included_tokens"),
        ({"usd_rate": 0}, "/usd_rate"),
        ({"charges": [{**CHARGE, "price_per_mtok": "-2"}]}, "/charges/0/price_per_mtok"),
        ({"charges": [{**CHARGE, "price_per_mtok": "1e-12"}]}, "/charges/0/price_per_mtok"),
        ({"charges": [{"charge_id": "a", "name": "A"}]}, "/charges/0/price_per_mtok"),
        ({"charges": [CHARGE, CHARGE]}, "/charges/1/charge_id"),
        ({"charges": [{**CHARGE, "models": ["a*b"]}]}, "/charges/0/models/0"),
        ({"charges": [{**CHARGE, "colour": "red"}]}, "/charges/0/colour"),
        (
            {
                "charges": [
                    {
                        "charge_id": "a",
                        "name": "A",
                        "pricing": "graduated",
                        "tiers": [
                            {"up_to": 10, "price_per_mtok": 1},
                            {"up_to": 5, "price_per_mtok": 1},
                            {"price_per_mtok": 1},
                        ],
                    }
                ]
            },
            "/charges/0/tiers/1/up_to",
        ),
    ],
)
async def test_unusable_plans_are_told_where(product, fields, pointer):
    refused = await product.platform("POST", "/billing/plans", json=plan(**fields))
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "pointer"),
    [
        ("POST", "/billing/subscription", {"plan_id": "nowhere"}, 404, None),
        ("POST", "/billing/subscription", {"plan_id": "at-cost", "time_zone": "X/Y"}, 422, "/time_zone"),
        ("POST", "/billing/subscription", {"plan_id": "at-cost", "anchor_day": 32}, 422, "/anchor_day"),
        (
            "POST",
            "/billing/subscription",
            {"plan_id": "at-cost", "starts_at": "2001-01-01"},
            422,
            "/starts_at",
        ),
        (
            "POST",
            "/billing/subscription",
            {"plan_id": "at-cost", "starts_at": "2001-01-01T00:00:00Z"},
            422,
            "/starts_at",
        ),
        ("POST", "/billing/subscription", {"plan_id": "at-cost", "tenant_id": "default"}, 403, None),
        ("DELETE", "/billing/subscription", None, 409, None),
        ("GET", "/billing/preview?at=yesterday", None, 422, "/at"),
        ("GET", "/billing/preview?at=2999-01-01", None, 422, "/at"),
        ("GET", "/billing/preview?position=0", None, 422, "/position"),
        ("GET", "/billing/preview?position=99999999", None, 422, "/position"),
        ("GET", "/billing/preview?position=1&at=2026-01-01", None, 422, "/position"),
        ("GET", "/billing/preview?tenant_id=default", None, 403, None),
        ("GET", "/billing/invoices/none", None, 404, None),
        ("GET", "/billing/invoices?cursor=x", None, 422, "/cursor"),
    ],
)
async def test_what_cannot_be_is_refused_with_a_reason(product, method, path, body, status, pointer):
    tenant = await product.tenant()
    refused = await tenant.call(method, path, **({} if body is None else {"json": body}))
    assert refused.status_code == status, refused.text
    if pointer:
        assert refused.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"amount": 0, "currency": "USD"}, 422, "/amount"),
        ({"amount": -5, "currency": "USD"}, 422, "/amount"),
        ({"amount": 5, "currency": "ZZZ"}, 422, "/currency"),
        ({"amount": 5, "currency": "USD", "priority": 101}, 422, "/priority"),
        ({"amount": 5, "currency": "USD", "expires_at": "2001-01-01T00:00:00Z"}, 422, "/expires_at"),
        ({"amount": 5, "currency": "USD", "tenant_id": "no-such-tenant"}, 404, None),
    ],
)
async def test_unusable_credits_are_told_where(product, body, status, pointer):
    refused = await product.platform("POST", "/billing/credits", json=body)
    assert refused.status_code == status, refused.text
    if pointer:
        assert refused.json()["errors"][0]["pointer"] == pointer


async def test_an_account_keeps_its_currency(product):
    tenant = await product.tenant()
    made = await publish(product, currency="JPY", charges=[])
    assert (
        await tenant.call("POST", "/billing/subscription", json={"plan_id": "at-cost"})
    ).status_code == 201
    refused = await tenant.call("POST", "/billing/subscription", json={"plan_id": made["plan_id"]})
    assert refused.status_code == 409


async def test_a_tenant_sees_no_other_tenants_invoices(product):
    tenant = await product.tenant()
    found = await tenant.call("GET", "/billing/invoices")
    assert found.json() == {"items": [], "next_cursor": None}
