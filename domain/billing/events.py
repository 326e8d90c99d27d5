"""What happens to plans, subscriptions, credits and invoices."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.billing.invoice import Line
from domain.billing.plan import PlanTerms
from domain.billing.subscription import Subscription
from domain.kernel.events import Event


class PlanPublished(Event, frozen=True, kw_only=True):
    """A version of a plan; subscriptions keep the version they were made with.

    `offered_to` is the one tenant that may take it, None for all.
    """

    TYPE: ClassVar[str] = "billing.plan_published"

    terms: PlanTerms
    published_at: datetime
    offered_to: str | None = None


class SubscriptionSet(Event, frozen=True, kw_only=True):
    """A tenant's subscription from `effective_at` on, with all its terms."""

    TYPE: ClassVar[str] = "billing.subscription_set"

    subscription: Subscription
    effective_at: datetime
    set_at: datetime


class SubscriptionCancelled(Event, frozen=True, kw_only=True):
    """The subscription ends at `effective_at`; what was used until then is still invoiced."""

    TYPE: ClassVar[str] = "billing.subscription_cancelled"

    effective_at: datetime
    cancelled_at: datetime


class CreditGranted(Event, frozen=True, kw_only=True):
    """The tenant got credit; lower priorities are used first."""

    TYPE: ClassVar[str] = "billing.credit_granted"

    grant_id: str
    currency: str
    amount_minor: int
    priority: int
    granted_at: datetime
    expires_at: datetime | None = None
    note: str = ""


class CreditConsumed(Event, frozen=True, kw_only=True):
    """An invoice took some of a credit."""

    TYPE: ClassVar[str] = "billing.credit_consumed"

    grant_id: str
    invoice_id: str
    amount_minor: int
    remaining_minor: int


class CreditExpired(Event, frozen=True, kw_only=True):
    """What was left of a credit can pay for nothing any more."""

    TYPE: ClassVar[str] = "billing.credit_expired"

    grant_id: str
    amount_minor: int
    expired_at: datetime


class InvoiceIssued(Event, frozen=True, kw_only=True):
    """A period was closed. The invoice follows from the events up to `as_of_position`, and never changes.

    `share` is which part of a month the period is, as a fraction. What is recorded later is adjusted in a
    later invoice that names this one.
    """

    TYPE: ClassVar[str] = "billing.invoice_issued"

    invoice_id: str
    number: str
    period_start: datetime
    period_end: datetime
    issued_at: datetime
    currency: str
    plan: str
    lines: tuple[Line, ...]
    subtotal_minor: int
    credits_minor: int
    total_minor: int
    as_of_position: int
    share: tuple[int, int]
    unrated_tokens: int = 0
    unpriced_requests: int = 0


class InvoicePaid(Event, frozen=True, kw_only=True):
    """The payment system has the money."""

    TYPE: ClassVar[str] = "billing.invoice_paid"

    invoice_id: str
    amount_minor: int
    noticed_at: datetime


class InvoicePaymentFailed(Event, frozen=True, kw_only=True):
    """The payment system could not collect; it may try again."""

    TYPE: ClassVar[str] = "billing.invoice_payment_failed"

    invoice_id: str
    attempts: int
    noticed_at: datetime


class InvoiceAbandoned(Event, frozen=True, kw_only=True):
    """The payment system will not collect: the invoice is `void` or `uncollectible` there."""

    TYPE: ClassVar[str] = "billing.invoice_abandoned"

    invoice_id: str
    status: str
    noticed_at: datetime


Payment = InvoicePaid | InvoicePaymentFailed | InvoiceAbandoned

EVENTS: tuple[type[Event], ...] = (
    PlanPublished,
    SubscriptionSet,
    SubscriptionCancelled,
    CreditGranted,
    CreditConsumed,
    CreditExpired,
    InvoiceIssued,
    InvoicePaid,
    InvoicePaymentFailed,
    InvoiceAbandoned,
)
