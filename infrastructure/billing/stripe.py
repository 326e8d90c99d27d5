"""Implements the payment system on Stripe's own SDK: looked up before it is told, told with idempotency keys.

Stripe forgets the keys after a day, so everything carries our ids as metadata and is looked for first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import stripe
from stripe import HTTPXClient, StripeClient

from application.billing.payment_system import Notice, PaymentRefused, RemoteInvoice
from domain.billing.events import InvoiceIssued
from domain.billing.payment_events import MeterEntry
from domain.kernel.errors import Unavailable
from infrastructure.billing.stripe_shapes import (
    minor_to,
    notice_of,
    plain,
    remote_invoice,
    text_of,
)

TIMEOUT_S = 30.0
OLDEST_METERED = timedelta(days=34)
PAGE = 100
_PASSING = (
    stripe.APIConnectionError,
    stripe.RateLimitError,
    stripe.AuthenticationError,
    stripe.PermissionError,
)


class StripePayments:
    """Implements `PaymentSink` and `PaymentRecords`; `base_url` replaces Stripe's own address."""

    def __init__(self, api_key: str, base_url: str | None = None) -> None:
        bases: Any = {"api": base_url, "meter_events": base_url} if base_url else {}
        self._http = HTTPXClient(timeout=TIMEOUT_S)
        client = StripeClient(api_key, base_addresses=bases, max_network_retries=0, http_client=self._http)
        self._v1 = client.v1
        self._meters: dict[str, str] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]  # the SDK's method has no types

    async def ensure_customer(self, tenant: str, key: str) -> str:
        """Return the tenant's customer, made when there is none."""
        async with _told():
            query = f"metadata['aios_tenant']:'{tenant}'"
            found = await self._v1.customers.search_async({"query": query})
            if found.data:
                return str(found.data[0].id)
            made = await self._v1.customers.create_async(
                {"name": tenant, "metadata": {"aios_tenant": tenant}}, _keyed(key)
            )
            return str(made.id)

    async def send_invoice(
        self, customer: str, tenant: str, invoice: InvoiceIssued, key: str
    ) -> RemoteInvoice:
        """Make what is missing of the invoice; a draft whose total differs from ours stays a draft."""
        async with _told():
            known = await self._find(customer, invoice.invoice_id)
            remote_id = known.remote_id if known else await self._draft(customer, tenant, invoice, key)
            if known is None or known.status == "draft":
                await self._add_lines(remote_id, customer, invoice, key)
            found = remote_invoice(await self._v1.invoices.retrieve_async(remote_id))
            if found.status != "draft" or found.total_minor != invoice.total_minor:
                return found
            final = await self._v1.invoices.finalize_invoice_async(
                remote_id, {"auto_advance": True}, _keyed(f"{key}.finalize")
            )
            return remote_invoice(final)

    async def report_usage(self, customer: str, entries: Sequence[MeterEntry], key: str) -> None:
        """Send the entries one after the other: Stripe takes one at a time of a customer's meter."""
        oldest = datetime.now(UTC) - OLDEST_METERED
        async with _told():
            for entry in entries:
                identifier = f"{key}.{entry.hour:%Y%m%d%H}.{entry.meter}"
                params: Any = {
                    "event_name": meter_name(entry.meter),
                    "payload": {"stripe_customer_id": customer, "value": str(entry.quantity)},
                    "identifier": identifier,
                    "timestamp": int(max(entry.hour, oldest).timestamp()),
                }
                try:
                    await self._v1.billing.meter_events.create_async(params, _keyed(identifier))
                except stripe.InvalidRequestError as error:
                    if "already exists with identifier" not in str(error):
                        raise

    async def ensure_subscription(self, customer: str, tenant: str, prices: Sequence[str], key: str) -> str:
        """Return the customer's subscription to these prices, made when there is none."""
        async with _told():
            listed = await self._v1.subscriptions.list_async({"customer": customer, "limit": PAGE})
            for found in listed.data:
                if plain(found).get("metadata", {}).get("aios_prices") == ",".join(prices):
                    return str(found.id)
            made = await self._v1.subscriptions.create_async(
                {
                    "customer": customer,
                    "items": [{"price": price} for price in prices],
                    "metadata": {"aios_tenant": tenant, "aios_prices": ",".join(prices)},
                },
                _keyed(key),
            )
            return str(made.id)

    async def invoice(self, remote_id: str) -> RemoteInvoice | None:
        """Return an invoice as it is now."""
        async with _told():
            try:
                return remote_invoice(await self._v1.invoices.retrieve_async(remote_id))
            except stripe.InvalidRequestError as error:
                if error.http_status == 404:
                    return None
                raise

    async def invoices_of(self, customer: str) -> Sequence[RemoteInvoice]:
        """Return every invoice of a customer."""
        async with _told():
            listed = await self._v1.invoices.list_async({"customer": customer, "limit": PAGE})
            return [remote_invoice(found) async for found in listed.auto_paging_iter()]

    async def notices_since(self, at: datetime) -> Sequence[Notice]:
        """Return what happened from a time on, oldest first; Stripe keeps a month of it."""
        async with _told():
            listed = await self._v1.events.list_async(
                {"created": {"gte": int(at.timestamp())}, "limit": PAGE}
            )
            found = [notice_of(plain(event)) async for event in listed.auto_paging_iter()]
        return sorted(found, key=lambda notice: (notice.happened_at, notice.notice_id))

    async def metered(self, customer: str, meter: str, start: datetime, end: datetime) -> int | None:
        """Return what a meter counted in whole hours, None when Stripe has no such meter."""
        async with _told():
            meter_id = await self._meter(meter_name(meter))
            if meter_id is None:
                return None
            listed = await self._v1.billing.meters.event_summaries.list_async(
                meter_id,
                {
                    "customer": customer,
                    "start_time": int(start.timestamp()),
                    "end_time": int(end.timestamp()),
                    "limit": PAGE,
                },
            )
            return round(sum([found.aggregated_value async for found in listed.auto_paging_iter()]))

    async def _find(self, customer: str, invoice_id: str) -> RemoteInvoice | None:
        listed = await self._v1.invoices.list_async({"customer": customer, "limit": PAGE})
        async for found in listed.auto_paging_iter():
            invoice = remote_invoice(found)
            if invoice.invoice_id == invoice_id:
                return invoice
        return None

    async def _draft(self, customer: str, tenant: str, invoice: InvoiceIssued, key: str) -> str:
        made = await self._v1.invoices.create_async(
            {
                "customer": customer,
                "currency": invoice.currency.lower(),
                "collection_method": "charge_automatically",
                "auto_advance": False,
                "pending_invoice_items_behavior": "exclude",
                "description": f"{invoice.number}: {invoice.plan}",
                "metadata": {
                    "aios_tenant": tenant,
                    "aios_invoice_id": invoice.invoice_id,
                    "aios_number": invoice.number,
                },
            },
            _keyed(f"{key}.invoice"),
        )
        return str(made.id)

    async def _add_lines(self, remote_id: str, customer: str, invoice: InvoiceIssued, key: str) -> None:
        listed = await self._v1.invoices.line_items.list_async(remote_id, {"limit": PAGE})
        there = {plain(line).get("metadata", {}).get("aios_line") async for line in listed.auto_paging_iter()}
        for number, line in enumerate(invoice.lines):
            if str(number) in there:
                continue
            await self._v1.invoice_items.create_async(
                {
                    "customer": customer,
                    "invoice": remote_id,
                    "currency": invoice.currency.lower(),
                    "amount": minor_to(invoice.currency, line.amount_minor),
                    "description": text_of(line.description),
                    "metadata": {"aios_line": str(number), "aios_invoice_id": invoice.invoice_id},
                },
                _keyed(f"{key}.line.{number}"),
            )

    async def _meter(self, event_name: str) -> str | None:
        if event_name not in self._meters:
            listed = await self._v1.billing.meters.list_async({"limit": PAGE, "status": "active"})
            async for found in listed.auto_paging_iter():
                self._meters[found.event_name] = str(found.id)
        return self._meters.get(event_name)


def meter_name(meter: str) -> str:
    """Return the event name of a meter at Stripe."""
    return f"aios_{meter}"


def _keyed(key: str) -> Any:
    options: Mapping[str, str] = {"idempotency_key": key}
    return options


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Translate Stripe's errors: what may pass is Unavailable, what will not is PaymentRefused."""
    try:
        yield
    except stripe.IdempotencyError as error:
        raise PaymentRefused("stripe: an idempotency key was used with another request") from error
    except _PASSING as error:
        raise Unavailable("stripe", f"Stripe does not answer: {type(error).__name__}", 30.0) from error
    except stripe.InvalidRequestError as error:
        if error.http_status == 409:
            raise Unavailable("stripe", "Stripe is still at the same request", 5.0) from error
        raise PaymentRefused(f"stripe: {error.code or 'invalid_request'} {error.param or ''}") from error
    except stripe.StripeError as error:
        status = error.http_status or 500
        if 400 <= status < 500 and status not in {409, 429}:
            raise PaymentRefused(f"stripe: {error.code or status}") from error
        raise Unavailable("stripe", f"Stripe fails with {status}", 30.0) from error
