"""Reads Stripe's objects into ours, and amounts into its units and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from application.billing.payment_system import Notice, RemoteInvoice

WRITTEN_WITH_TWO_DECIMALS = frozenset({"ISK", "UGX"})
"""Currencies without decimals that Stripe nevertheless writes in hundredths."""

LONGEST_TEXT = 500


def minor_to(currency: str, minor: int) -> int:
    """Return our minor units in Stripe's."""
    return minor * 100 if currency in WRITTEN_WITH_TWO_DECIMALS else minor


def minor_from(currency: str, amount: int) -> int:
    """Return Stripe's units in our minor units."""
    return amount // 100 if currency in WRITTEN_WITH_TWO_DECIMALS else amount


def plain(found: Any) -> dict[str, Any]:
    """Return one of the SDK's objects as plain values."""
    return found if isinstance(found, dict) else dict(found.to_dict())


def text_of(text: str) -> str:
    """Return a description as long as Stripe takes it."""
    return text[:LONGEST_TEXT]


def remote_invoice(found: Any) -> RemoteInvoice:
    """Read an invoice."""
    values = plain(found)
    currency = str(values["currency"]).upper()
    marks = values.get("metadata") or {}
    return RemoteInvoice(
        remote_id=values["id"],
        status=values.get("status") or "draft",
        currency=currency,
        total_minor=minor_from(currency, values.get("total") or 0),
        paid_minor=minor_from(currency, values.get("amount_paid") or 0),
        attempts=values.get("attempt_count") or 0,
        tenant=marks.get("aios_tenant"),
        invoice_id=marks.get("aios_invoice_id"),
    )


def notice_of(values: Mapping[str, Any]) -> Notice:
    """Read an event. Raises KeyError or TypeError for what is none."""
    thing = values["data"]["object"]
    return Notice(
        notice_id=str(values["id"]),
        kind=str(values["type"]),
        object_type=str(thing.get("object") or ""),
        object_id=str(thing.get("id") or ""),
        happened_at=datetime.fromtimestamp(values["created"], UTC),
    )
