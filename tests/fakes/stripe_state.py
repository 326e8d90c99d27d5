"""What the fake Stripe remembers, and what its endpoints do; no sockets here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stripe.params import (
    CustomerCreateParams,
    InvoiceCreateParams,
    InvoiceFinalizeInvoiceParams,
    InvoiceItemCreateParams,
    SubscriptionCreateParams,
)
from stripe.params.billing import MeterEventCreateParams

from tests.fakes import stripe_shapes as shapes
from tests.fakes.stripe_shapes import Values

SEARCH = re.compile(r"metadata\['(?P<key>\w+)'\]:'(?P<value>[^']*)'")


class Refused(Exception):
    """An error of the API, in Stripe's words."""

    def __init__(
        self, status: int, message: str, *, kind: str = "invalid_request_error", **more: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "message": message, **more}}


@dataclass
class StripeState:
    """Objects by id in the order of their making; `now` is the server's clock."""

    now: Callable[[], float] = time.time
    objects: dict[str, Values] = field(default_factory=dict)
    events: list[Values] = field(default_factory=list)
    meter_events: list[Values] = field(default_factory=list)
    _count: int = 0

    def handle(self, method: str, path: str, params: Values) -> Values:
        """Answer one request. Raises Refused."""
        for verb, pattern, allowed, handler in ROUTES:
            found = re.fullmatch(pattern, path)
            if verb == method and found:
                unknown = set(params) - set(allowed) if allowed is not None else set()
                if unknown:
                    name = min(unknown)
                    raise Refused(
                        400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name
                    )
                return handler(self, params, *found.groups())
        raise Refused(404, f"Unrecognized request URL ({method}: {path}).")

    def new_id(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{self._count:08d}"

    def stamp(self) -> int:
        return int(self.now())

    def keep(self, thing: Values, happened: str | None = None) -> Values:
        self.objects[thing["id"]] = thing
        if happened:
            self.happen(happened, thing)
        return thing

    def happen(self, kind: str, thing: Values) -> Values:
        """Record an event about an object as it is now."""
        found = shapes.event(self.new_id("evt"), self.stamp(), kind, {**thing})
        self.events.append(found)
        return found

    def get(self, kind: str, id_: str) -> Values:
        found = self.objects.get(id_)
        if found is None or found["object"] != kind:
            raise Refused(404, f"No such {kind}: '{id_}'", code="resource_missing", param="id")
        return found

    def of(self, kind: str) -> list[Values]:
        return [thing for thing in self.objects.values() if thing["object"] == kind]

    def settle(self, invoice_id: str, status: str, *, paid: bool = False) -> Values:
        """Let an invoice become paid, void, uncollectible, or open after a failed attempt."""
        found = self.get("invoice", invoice_id)
        found["status"] = status
        found["attempted"], found["attempt_count"] = True, found["attempt_count"] + 1
        if paid:
            found["amount_paid"], found["amount_remaining"] = found["total"], 0
        kind = {"paid": "paid", "void": "voided", "uncollectible": "marked_uncollectible"}
        return self.happen(f"invoice.{kind.get(status, 'payment_failed')}", found)


def _create_customer(state: StripeState, params: Values) -> Values:
    return state.keep(shapes.customer(state.new_id("cus"), state.stamp(), params), "customer.created")


def _search_customers(state: StripeState, params: Values) -> Values:
    wanted = SEARCH.fullmatch(params["query"])
    if wanted is None:
        raise Refused(400, "We were unable to parse your search query", param="query")
    found = [c for c in state.of("customer") if c["metadata"].get(wanted["key"]) == wanted["value"]]
    return shapes.page(found, "/v1/customers/search", kind="search_result")


def _create_invoice(state: StripeState, params: Values) -> Values:
    state.get("customer", params["customer"])
    return state.keep(shapes.invoice(state.new_id("in"), state.stamp(), params), "invoice.created")


def _create_item(state: StripeState, params: Values) -> Values:
    found = state.get("invoice", params["invoice"])
    if found["status"] != "draft":
        raise Refused(400, "This invoice is no longer editable", code="invoice_not_editable", param="invoice")
    if params["currency"] != found["currency"] or params["customer"] != found["customer"]:
        raise Refused(400, "The currency and customer must be the invoice's", param="currency")
    item = state.keep(shapes.invoice_item(state.new_id("ii"), state.stamp(), params), "invoiceitem.created")
    found["lines"]["data"].append(shapes.line_of(state.new_id("il"), item))
    total = sum(line["amount"] for line in found["lines"]["data"])
    found.update(subtotal=total, total=total, amount_due=max(0, total), amount_remaining=max(0, total))
    return item


def _finalize(state: StripeState, params: Values, invoice_id: str) -> Values:
    found = state.get("invoice", invoice_id)
    if found["status"] != "draft":
        raise Refused(400, "This invoice is already finalized", code="invoice_not_editable")
    found.update(
        status="open", number=f"FAKE-{invoice_id[-4:]}", auto_advance=params.get("auto_advance") == "true"
    )
    found["status_transitions"]["finalized_at"] = state.stamp()
    if found["total"] <= 0:
        found["status"] = "paid"
    state.happen("invoice.finalized", found)
    return found


def _lines(state: StripeState, params: Values, invoice_id: str) -> Values:
    lines = state.get("invoice", invoice_id)["lines"]["data"]
    return _page(lines, f"/v1/invoices/{invoice_id}/lines", params)


def _subscribe(state: StripeState, params: Values) -> Values:
    state.get("customer", params["customer"])
    made = {
        "id": state.new_id("sub"),
        "object": "subscription",
        "customer": params["customer"],
        "metadata": params.get("metadata") or {},
        "status": "active",
        "items": shapes.page(
            [{"price": item["price"]} for item in params["items"]], "/v1/subscription_items"
        ),
        "created": state.stamp(),
    }
    return state.keep(made, "customer.subscription.created")


def _meter_event(state: StripeState, params: Values) -> Values:
    if any(known["identifier"] == params["identifier"] for known in state.meter_events):
        message = f"An event already exists with identifier {params['identifier']}"
        raise Refused(400, message, param="identifier")
    if not re.fullmatch(r"-?\d+", params["payload"]["value"]):
        raise Refused(400, "The value must be a whole number", param="payload")
    made = shapes.meter_event(state.stamp(), params)
    state.meter_events.append(made)
    return made


def _summaries(state: StripeState, params: Values, meter_id: str) -> Values:
    meter = state.get("billing.meter", meter_id)
    start, end = int(params["start_time"]), int(params["end_time"])
    values = [
        int(known["payload"]["value"])
        for known in state.meter_events
        if known["event_name"] == meter["event_name"]
        and known["payload"]["stripe_customer_id"] == params["customer"]
        and start <= known["timestamp"] < end
    ]
    summary = shapes.meter_summary(state.new_id("mtrusg"), meter_id, start, end, float(sum(values)))
    return shapes.page([summary] if values else [], f"/v1/billing/meters/{meter_id}/event_summaries")


def _events(state: StripeState, params: Values) -> Values:
    since = int((params.get("created") or {}).get("gte", 0))
    return _page([e for e in reversed(state.events) if e["created"] >= since], "/v1/events", params)


def _listed(kind: str, url: str) -> Callable[[StripeState, Values], Values]:
    def handler(state: StripeState, params: Values) -> Values:
        found = [t for t in state.of(kind) if params.get("customer") in {None, t.get("customer")}]
        return _page(list(reversed(found)), url, params)

    return handler


def _one(kind: str) -> Callable[[StripeState, Values, str], Values]:
    def handler(state: StripeState, _params: Values, id_: str) -> Values:
        return state.get(kind, id_)

    return handler


def _page(found: list[Values], url: str, params: Values) -> Values:
    after, limit = params.get("starting_after"), int(params.get("limit", 10))
    start = next((n + 1 for n, thing in enumerate(found) if thing["id"] == after), 0)
    return shapes.page(found[start : start + limit], url, has_more=len(found) > start + limit)


def _names(params: Any) -> frozenset[str]:
    return frozenset(params.__annotations__)


ROUTES: list[tuple[str, str, frozenset[str] | None, Callable[..., Values]]] = [
    ("POST", "/v1/customers", _names(CustomerCreateParams), _create_customer),
    ("GET", "/v1/customers/search", None, _search_customers),
    ("GET", "/v1/customers/([a-z0-9_]+)", None, _one("customer")),
    ("POST", "/v1/invoices", _names(InvoiceCreateParams), _create_invoice),
    ("GET", "/v1/invoices", None, _listed("invoice", "/v1/invoices")),
    ("GET", "/v1/invoices/([a-z0-9_]+)", None, _one("invoice")),
    ("GET", "/v1/invoices/([a-z0-9_]+)/lines", None, _lines),
    ("POST", "/v1/invoices/([a-z0-9_]+)/finalize", _names(InvoiceFinalizeInvoiceParams), _finalize),
    ("POST", "/v1/invoiceitems", _names(InvoiceItemCreateParams), _create_item),
    ("POST", "/v1/subscriptions", _names(SubscriptionCreateParams), _subscribe),
    ("GET", "/v1/subscriptions", None, _listed("subscription", "/v1/subscriptions")),
    ("POST", "/v1/billing/meter_events", _names(MeterEventCreateParams), _meter_event),
    ("GET", "/v1/billing/meters", None, _listed("billing.meter", "/v1/billing/meters")),
    ("GET", "/v1/billing/meters/([a-z0-9_]+)/event_summaries", None, _summaries),
    ("GET", "/v1/events", None, _events),
]
