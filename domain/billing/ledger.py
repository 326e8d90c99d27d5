"""A tenant's billing as its events have it: subscriptions, credits, what was billed so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from domain.billing.credits import Grant
from domain.billing.events import (
    CreditConsumed,
    CreditExpired,
    CreditGranted,
    InvoiceAbandoned,
    InvoiceIssued,
    InvoicePaid,
    InvoicePaymentFailed,
    Payment,
    SubscriptionCancelled,
    SubscriptionSet,
)
from domain.billing.invoice import BASE_FEE, MINIMUM
from domain.billing.subscription import BillingPeriod, Segment, period_at, with_change
from domain.kernel.events import Event
from domain.kernel.values import Period


@dataclass
class Closed:
    """A period that was invoiced, and what was billed for it by its own invoice and by adjustments."""

    invoice_id: str
    number: str
    terms: BillingPeriod
    quantities: Counter[str] = field(default_factory=Counter)
    billed: Counter[str] = field(default_factory=Counter)
    status: str = "issued"
    total_minor: int = 0

    @property
    def period(self) -> Period:
        """Return the period's bounds."""
        return self.terms.period


@dataclass
class Ledger:
    """The fold of a tenant's billing events; `apply` accepts every event."""

    segments: tuple[Segment, ...] = ()
    grants: dict[str, Grant] = field(default_factory=dict)
    closed: dict[str, Closed] = field(default_factory=dict)
    carried_minor: int = 0
    currency: str | None = None
    as_of_position: int = 0

    def apply(self, event: Event) -> None:
        """Fold one event."""
        handler = _FOLDS.get(type(event))
        if handler is not None:
            handler(self, event)

    def period_at(self, at: datetime) -> BillingPeriod:
        """Return the billing period that holds an instant."""
        return period_at(self.segments, at)

    @property
    def last_closed(self) -> Closed | None:
        """Return the newest period that was invoiced."""
        return next(reversed(self.closed.values()), None)

    def next_to_close(self) -> BillingPeriod | None:
        """Return the oldest subscribed period that was not invoiced, whether or not it is over."""
        last = self.last_closed
        at = last.period.end if last else (self.segments[0].start if self.segments else None)
        if at is None:
            return None
        found = self.period_at(at)
        if found.subscribed:
            return found
        later = [s.start for s in self.segments if s.start > at and s.subscription]
        return self.period_at(later[0]) if later else None

    def usable_grants(self) -> list[Grant]:
        """Return the credits with something left."""
        return [grant for grant in self.grants.values() if grant.remaining_minor]


def _subscribed(ledger: Ledger, event: SubscriptionSet) -> None:
    change = Segment(start=event.effective_at, subscription=event.subscription)
    ledger.segments = with_change(ledger.segments, change)
    ledger.currency = event.subscription.plan.currency


def _cancelled(ledger: Ledger, event: SubscriptionCancelled) -> None:
    change = Segment(start=event.effective_at, subscription=None)
    ledger.segments = with_change(ledger.segments, change)


def _granted(ledger: Ledger, event: CreditGranted) -> None:
    ledger.currency = event.currency
    ledger.grants[event.grant_id] = Grant(
        grant_id=event.grant_id,
        currency=event.currency,
        amount_minor=event.amount_minor,
        remaining_minor=event.amount_minor,
        priority=event.priority,
        granted_at=event.granted_at,
        expires_at=event.expires_at,
        note=event.note,
    )


def _consumed(ledger: Ledger, event: CreditConsumed) -> None:
    _left(ledger, event.grant_id, event.remaining_minor)


def _expired(ledger: Ledger, event: CreditExpired) -> None:
    _left(ledger, event.grant_id, 0)


def _left(ledger: Ledger, grant_id: str, remaining_minor: int) -> None:
    grant = ledger.grants.get(grant_id)
    if grant is not None:
        ledger.grants[grant_id] = msgspec.structs.replace(grant, remaining_minor=remaining_minor)


def _issued(ledger: Ledger, event: InvoiceIssued) -> None:
    terms = ledger.period_at(event.period_start)
    period = Period(event.period_start, event.period_end)
    ledger.closed[event.invoice_id] = Closed(
        invoice_id=event.invoice_id,
        number=event.number,
        terms=msgspec.structs.replace(terms, period=period, share=event.share),
        total_minor=event.total_minor,
    )
    ledger.carried_minor = 0
    ledger.as_of_position = event.as_of_position
    for line in event.lines:
        if line.kind == "carried_forward":
            ledger.carried_minor = -line.amount_minor
        closed = ledger.closed.get(line.adjusts or event.invoice_id)
        if closed is None or line.kind not in {"base_fee", "usage", "minimum", "adjustment"}:
            continue
        name = line.charge_id or (BASE_FEE if line.kind == "base_fee" else MINIMUM)
        closed.billed[name] += line.amount_minor
        closed.quantities[name] += line.quantity or 0


def _noted(ledger: Ledger, event: Payment) -> None:
    closed = ledger.closed.get(event.invoice_id)
    if closed is not None:
        closed.status = status_of(event)


def status_of(event: Payment) -> str:
    """Return what an invoice is after its payment was noticed."""
    if isinstance(event, InvoicePaid):
        return "paid"
    return "payment_failed" if isinstance(event, InvoicePaymentFailed) else event.status


_FOLDS: Mapping[type[Event], Callable[[Ledger, Any], None]] = {
    SubscriptionSet: _subscribed,
    SubscriptionCancelled: _cancelled,
    CreditGranted: _granted,
    CreditConsumed: _consumed,
    CreditExpired: _expired,
    InvoiceIssued: _issued,
    InvoicePaid: _noted,
    InvoicePaymentFailed: _noted,
    InvoiceAbandoned: _noted,
}
