"""Stripe's webhook on the real product: off, signed, repeated; and the books as they are shown."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient

from domain.billing.payment_events import PaymentNoticeReceived
from infrastructure.billing.desk import BillingDesk
from interfaces.http.app import PREFIX, create_app
from tests.fakes.stripe_webhooks import signed
from tests.interfaces.http.product import BASE_URL, Product

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH = "/billing/stripe/webhook"
SECRETS = ("whsec_new", "whsec_old")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(product: Product) -> AsyncIterator[AsyncClient]:
    """A client of the product's application with webhook secrets."""
    api, services = product.api, product.api.app.state["services"]
    settings = msgspec.structs.replace(
        api.settings, stripe_secret_key="sk_test", stripe_webhook_secrets=SECRETS
    )
    desk = BillingDesk(settings, api.runtime, api.reading, services.clock)
    services = replace(services, billing=desk)
    transport = ASGITransport(create_app(services), raise_app_exceptions=False)  # type: ignore[arg-type]  # Litestar's own ASGI types
    async with AsyncClient(transport=transport, base_url=BASE_URL + PREFIX) as client:
        yield client


def event(name: str) -> bytes:
    """Return a small event."""
    thing = {"object": "invoice", "id": "in_1"}
    values = {"id": name, "type": "invoice.paid", "created": 1_767_225_600, "data": {"object": thing}}
    return json.dumps(values).encode()


async def take(client: AsyncClient, body: bytes, secret: str = SECRETS[0], age: float = 0.0) -> Any:
    headers = {
        "stripe-signature": signed(body, secret, time.time() - age),
        "content-type": "application/json",
    }
    return await client.post(PATH, content=body, headers=headers)


@pytest.mark.parametrize("secret", SECRETS)
async def test_a_signed_notice_is_kept_once(product: Product, door: AsyncClient, secret: str) -> None:
    body = event(f"evt_{secret}")

    first, second = await take(door, body, secret), await take(door, body, secret)

    assert (first.status_code, first.json()) == (200, {"received": True, "duplicate": False})
    assert second.json() == {"received": True, "duplicate": True}
    stored = [
        e.event.notice_id async for e in product.api.runtime.log.read(types=[PaymentNoticeReceived.TYPE])
    ]
    assert stored.count(f"evt_{secret}") == 1


async def test_many_at_once_keep_one(product: Product, door: AsyncClient) -> None:
    answers = await asyncio.gather(*(take(door, event("evt_many")) for _ in range(20)))
    assert [a.status_code for a in answers] == [200] * 20
    assert [a.json()["duplicate"] for a in answers].count(False) == 1


async def test_what_is_not_signed_or_old_is_refused(door: AsyncClient) -> None:
    body = event("evt_bad")
    wrong = [
        await take(door, body, "whsec_other"),
        await take(door, body, age=301),
        await door.post(PATH, content=body),
        await door.post(PATH, content=body, headers={"stripe-signature": "t=1,v1="}),
    ]
    assert [answer.status_code for answer in wrong] == [400] * 4
    assert "Stripe-Signature" in wrong[0].json()["detail"]


async def test_what_is_signed_but_no_event_is_told(door: AsyncClient) -> None:
    assert [(await take(door, body)).status_code for body in (b"[]", b"{}", b"")] == [422] * 3


async def test_without_a_secret_the_door_is_closed_and_says_why(product: Product) -> None:
    body = event("evt_closed")
    headers = {"stripe-signature": signed(body, "", time.time())}
    answer = await product.client.post(PREFIX + PATH, content=body, headers=headers)
    assert answer.status_code == 409
    assert "STRIPE_WEBHOOK_SECRET" in answer.json()["detail"]


async def test_the_books_say_that_stripe_is_off(product: Product) -> None:
    tenant = await product.tenant()
    found = (await tenant.call("GET", "/billing/reconciliation")).json()
    assert (found["payment_system"], found["notices"], found["items"]) == ("off", "off", [])
