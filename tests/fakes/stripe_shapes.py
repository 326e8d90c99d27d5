"""Stripe's objects as its API of 2026 writes them, every field that its types require included."""

from __future__ import annotations

import copy
from typing import Any

Values = dict[str, Any]


def customer(id_: str, now: int, params: Values) -> Values:
    return {
        "id": id_,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": now,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": params.get("description"),
        "email": params.get("email"),
        "invoice_prefix": id_[-8:].upper(),
        "invoice_settings": {"custom_fields": None, "default_payment_method": None, "footer": None},
        "livemode": False,
        "metadata": params.get("metadata") or {},
        "name": params.get("name"),
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


INVOICE: Values = {
    "object": "invoice",
    "account_country": "US",
    "account_name": "Fake",
    "account_tax_ids": None,
    "amount_due": 0,
    "amount_overpaid": 0,
    "amount_paid": 0,
    "amount_paid_off_stripe": 0,
    "amount_remaining": 0,
    "amount_shipping": 0,
    "application": None,
    "attempt_count": 0,
    "attempted": False,
    "automatic_tax": {"enabled": False, "liability": None, "status": None, "disabled_reason": None},
    "automatically_finalizes_at": None,
    "billing_reason": "manual",
    "custom_fields": None,
    "customer_email": None,
    "customer_name": None,
    "customer_tax_exempt": "none",
    "default_payment_method": None,
    "default_source": None,
    "default_tax_rates": [],
    "discounts": [],
    "due_date": None,
    "ending_balance": None,
    "footer": None,
    "issuer": {"type": "self"},
    "last_finalization_error": None,
    "latest_revision": None,
    "livemode": False,
    "next_payment_attempt": None,
    "number": None,
    "on_behalf_of": None,
    "parent": None,
    "payment_settings": {
        "default_mandate": None,
        "payment_method_options": None,
        "payment_method_types": None,
    },
    "post_payment_credit_notes_amount": 0,
    "pre_payment_credit_notes_amount": 0,
    "starting_balance": 0,
    "statement_descriptor": None,
    "status": "draft",
    "status_transitions": {
        "finalized_at": None,
        "marked_uncollectible_at": None,
        "paid_at": None,
        "voided_at": None,
    },
    "subtotal": 0,
    "test_clock": None,
    "total": 0,
    "total_discount_amounts": [],
    "total_pretax_credit_amounts": [],
    "total_taxes": [],
    "webhooks_delivered_at": None,
}
"""What every new draft has."""


def invoice(id_: str, now: int, params: Values) -> Values:
    return {
        **copy.deepcopy(INVOICE),
        "id": id_,
        "auto_advance": params.get("auto_advance") == "true",
        "collection_method": params.get("collection_method", "charge_automatically"),
        "created": now,
        "currency": params["currency"],
        "customer": params["customer"],
        "description": params.get("description"),
        "lines": page([], f"/v1/invoices/{id_}/lines"),
        "metadata": params.get("metadata") or {},
        "period_end": now,
        "period_start": now,
    }


def invoice_item(id_: str, now: int, params: Values) -> Values:
    return {
        "id": id_,
        "object": "invoiceitem",
        "amount": int(params["amount"]),
        "currency": params["currency"],
        "customer": params["customer"],
        "date": now,
        "description": params.get("description"),
        "discountable": False,
        "discounts": [],
        "frozen_fields": [],
        "invoice": params["invoice"],
        "livemode": False,
        "metadata": params.get("metadata") or {},
        "parent": None,
        "period": {"start": now, "end": now},
        "pricing": None,
        "proration": False,
        "quantity": 1,
        "quantity_decimal": "1",
        "tax_rates": [],
        "test_clock": None,
    }


def line_of(id_: str, item: Values) -> Values:
    return {
        "id": id_,
        "object": "line_item",
        "amount": item["amount"],
        "currency": item["currency"],
        "description": item["description"],
        "discount_amounts": [],
        "discountable": False,
        "discounts": [],
        "invoice": item["invoice"],
        "livemode": False,
        "metadata": item["metadata"],
        "parent": {
            "type": "invoice_item_details",
            "invoice_item_details": {"invoice_item": item["id"], "proration": False, "subscription": None},
            "subscription_item_details": None,
        },
        "period": item["period"],
        "pretax_credit_amounts": [],
        "pricing": None,
        "quantity": 1,
        "quantity_decimal": "1",
        "subscription": None,
        "subtotal": item["amount"],
        "taxes": [],
    }


def event(id_: str, now: int, kind: str, thing: Values) -> Values:
    return {
        "id": id_,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": now,
        "data": {"object": thing},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }


def meter(id_: str, now: int, event_name: str) -> Values:
    return {
        "id": id_,
        "object": "billing.meter",
        "created": now,
        "customer_mapping": {"event_payload_key": "stripe_customer_id", "type": "by_id"},
        "default_aggregation": {"formula": "sum"},
        "display_name": event_name,
        "event_name": event_name,
        "event_time_window": None,
        "livemode": False,
        "status": "active",
        "status_transitions": {"deactivated_at": None},
        "updated": now,
        "value_settings": {"event_payload_key": "value"},
    }


def meter_event(now: int, params: Values) -> Values:
    return {
        "object": "billing.meter_event",
        "created": now,
        "event_name": params["event_name"],
        "identifier": params["identifier"],
        "livemode": False,
        "payload": params["payload"],
        "timestamp": int(params["timestamp"]),
    }


def meter_summary(id_: str, meter_id: str, start: int, end: int, value: float) -> Values:
    return {
        "id": id_,
        "object": "billing.meter_event_summary",
        "aggregated_value": value,
        "end_time": end,
        "livemode": False,
        "meter": meter_id,
        "start_time": start,
    }


def page(data: list[Values], url: str, *, has_more: bool = False, kind: str = "list") -> Values:
    return {"object": kind, "data": data, "has_more": has_more, "url": url}
