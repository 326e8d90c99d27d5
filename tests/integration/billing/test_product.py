"""The whole product with a Stripe: from a subscription to an invoice that is sent, paid and noticed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.stripe_server import KEY, FakeStripe, running_stripe
from tests.fakes.stripe_webhooks import body_of, signed
from tests.product import running_product, wait_until

SECRET = "whsec_of_the_product"
API = "/api/ai-advanced"


@pytest.mark.slow
def test_an_invoice_is_issued_sent_paid_and_noticed(tmp_path: Path) -> None:
    with (
        running_stripe() as fake,
        running_product(
            tmp_path / "d", STRIPE_SECRET_KEY=KEY, STRIPE_API_BASE=fake.url, STRIPE_WEBHOOK_SECRET=SECRET
        ) as product,
        product.client() as client,
    ):
        # given a subscription since two months ago
        plan = {"plan_id": "pro", "name": "Pro", "currency": "USD", "base_fee": "20"}
        since = datetime.now(UTC) - timedelta(days=63)  # one month at least is over for more than an hour
        wanted = {"plan_id": "pro", "collection": "invoice_items", "starts_at": since.isoformat()}
        assert client.post(f"{API}/billing/plans", json=plan).status_code == 201
        assert client.post(f"{API}/billing/subscription", json=wanted).status_code == 201
        # when its month is closed
        queued = client.post(f"{API}/workflows/billing-period-close/run")
        assert queued.status_code == 202, queued.text
        wait_until(lambda: opened(fake), 180, lambda: product.output)
        # then Stripe has it, and what Stripe says of it is shown
        remote = opened(fake)[-1]
        assert (remote["total"], remote["currency"]) == (2_000, "usd")
        paid = fake.state.settle(remote["id"], "paid", paid=True)
        body = body_of(paid)
        headers = {"stripe-signature": signed(body, SECRET, time.time())}
        answer = httpx.post(
            product.base_url + f"{API}/billing/stripe/webhook", content=body, headers=headers, timeout=30
        )
        assert answer.json() == {"received": True, "duplicate": False}
        wait_until(lambda: "paid" in [i["status"] for i in invoices(client)], 180, lambda: product.output)
        [shown] = [invoice for invoice in invoices(client) if invoice["status"] == "paid"]
        assert (shown["total"], shown["remote_id"]) == ("20.00", remote["id"])
        books = client.get(f"{API}/billing/reconciliation").json()
        assert (books["payment_system"], books["notices"], books["items"]) == ("stripe", "on", [])


def opened(fake: FakeStripe) -> list[dict[str, Any]]:
    """Return whole months' invoices that Stripe collects."""
    return [i for i in fake.of("invoice") if i["status"] == "open" and i["total"] == 2_000]


def invoices(client: httpx.Client) -> list[dict[str, Any]]:
    """Return the tenant's invoices."""
    found: list[dict[str, Any]] = client.get(f"{API}/billing/invoices").json()["items"]
    return found
