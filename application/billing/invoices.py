"""How invoices and previews are shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from application.billing.answers import LineView, line_view
from application.billing.previews import Preview
from domain.billing.currency import minor_text
from domain.billing.events import InvoiceIssued
from domain.billing.invoice import Line


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What an invoice adds up to; `total` is the sum of the lines as shown."""

    currency: str
    subtotal_minor: int
    subtotal: str
    credits_minor: int
    credits: str
    total_minor: int
    total: str
    lines: tuple[LineView, ...]


class PreviewView(Sums, frozen=True, kw_only=True):
    """An invoice as it stands; it follows from the events up to `as_of_position` alone.

    `unrated_tokens` were used of models that no charge of the plan takes, `unpriced_requests` have no known
    cost. Without a subscription (`subscribed` false) nothing is ever issued.
    """

    plan: str
    subscribed: bool
    period_start: datetime
    period_end: datetime
    closes_at: datetime | None
    as_of_position: int
    unrated_tokens: int
    unpriced_requests: int


class InvoiceView(Sums, frozen=True, kw_only=True):
    """An invoice as it was issued, and its `status`.

    `issued`, then by what the payment system says `paid`, `payment_failed`, `void` or `uncollectible`.
    """

    invoice_id: str
    number: str
    tenant_id: str
    plan: str
    period_start: datetime
    period_end: datetime
    issued_at: datetime
    status: str
    as_of_position: int
    unrated_tokens: int
    unpriced_requests: int
    remote_id: str | None


def preview_view(preview: Preview) -> PreviewView:
    """Show a preview."""
    drafted = preview.draft
    sums = (drafted.subtotal_minor, drafted.credits_minor, drafted.total_minor)
    return PreviewView(
        **_sums(drafted.currency, drafted.lines, *sums),
        plan=drafted.plan,
        subscribed=preview.subscribed,
        period_start=drafted.period.start,
        period_end=drafted.period.end,
        closes_at=preview.closes_at,
        as_of_position=drafted.as_of_position,
        unrated_tokens=drafted.unrated_tokens,
        unpriced_requests=drafted.unpriced_requests,
    )


def invoice_view(tenant: str, issued: InvoiceIssued, status: str, remote_id: str | None) -> InvoiceView:
    """Show an issued invoice."""
    sums = (issued.subtotal_minor, issued.credits_minor, issued.total_minor)
    return InvoiceView(
        **_sums(issued.currency, issued.lines, *sums),
        invoice_id=issued.invoice_id,
        number=issued.number,
        tenant_id=tenant,
        plan=issued.plan,
        period_start=issued.period_start,
        period_end=issued.period_end,
        issued_at=issued.issued_at,
        status=status,
        as_of_position=issued.as_of_position,
        unrated_tokens=issued.unrated_tokens,
        unpriced_requests=issued.unpriced_requests,
        remote_id=remote_id,
    )


def _sums(currency: str, lines: Sequence[Line], subtotal: int, credits_: int, total: int) -> dict[str, Any]:
    return {
        "currency": currency,
        "lines": tuple(line_view(line, currency) for line in lines),
        "subtotal_minor": subtotal,
        "subtotal": minor_text(subtotal, currency),
        "credits_minor": credits_,
        "credits": minor_text(credits_, currency),
        "total_minor": total,
        "total": minor_text(total, currency),
    }
