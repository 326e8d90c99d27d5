"""Folds the events of billing into what plans, subscriptions, credits and invoices are now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from domain.billing.events import (
    CreditConsumed,
    CreditExpired,
    CreditGranted,
    InvoiceAbandoned,
    InvoiceIssued,
    InvoicePaid,
    InvoicePaymentFailed,
    Payment,
    PlanPublished,
    SubscriptionCancelled,
    SubscriptionSet,
)
from domain.billing.ledger import status_of
from domain.kernel.events import Envelope, Event
from projections.billing.payments_project import HANDLERS as PAYMENTS
from projections.billing.tables import (
    billing_credits,
    billing_differences,
    billing_invoices,
    billing_plans,
    billing_reconciliations,
    billing_subscriptions,
)
from projections.ops import Insert, RowOp, Update, Upsert
from projections.projection import Handler, Projection


def plan_published(envelope: Envelope[PlanPublished]) -> Iterable[RowOp]:
    """List a plan's version."""
    event = envelope.event
    row = {
        "plan_id": event.terms.plan_id,
        "version": event.terms.version,
        "offered_to": event.offered_to,
        "terms": event.terms,
        "published_at": event.published_at,
    }
    yield Upsert(billing_plans, row)


def subscription_set(envelope: Envelope[SubscriptionSet]) -> Iterable[RowOp]:
    """Note what is in force from a time on."""
    event = envelope.event
    yield _subscription(envelope, event.subscription, event.set_at)


def subscription_cancelled(envelope: Envelope[SubscriptionCancelled]) -> Iterable[RowOp]:
    """Note that nothing is in force from a time on."""
    yield _subscription(envelope, None, envelope.event.cancelled_at)


def _subscription(envelope: Envelope[Any], terms: Any, set_at: Any) -> RowOp:
    row = {
        "tenant": envelope.tenant,
        "effective_at": envelope.event.effective_at,
        "set_at": set_at,
        "terms": terms,
    }
    return Upsert(billing_subscriptions, row)


def credit_granted(envelope: Envelope[CreditGranted]) -> Iterable[RowOp]:
    """List a credit."""
    event = envelope.event
    yield Insert(
        billing_credits,
        {
            "tenant": envelope.tenant,
            "grant_id": event.grant_id,
            "position": envelope.position,
            "currency": event.currency,
            "amount_minor": event.amount_minor,
            "remaining_minor": event.amount_minor,
            "expired_minor": 0,
            "priority": event.priority,
            "granted_at": event.granted_at,
            "expires_at": event.expires_at,
            "note": event.note,
        },
    )


def credit_consumed(envelope: Envelope[CreditConsumed]) -> Iterable[RowOp]:
    """Show what is left."""
    yield _credit(envelope, {"remaining_minor": envelope.event.remaining_minor})


def credit_expired(envelope: Envelope[CreditExpired]) -> Iterable[RowOp]:
    """Show that nothing is left, and how much was lost."""
    yield _credit(envelope, {"remaining_minor": 0, "expired_minor": envelope.event.amount_minor})


def _credit(envelope: Envelope[Any], values: Mapping[str, Any]) -> RowOp:
    return Update(billing_credits, {"tenant": envelope.tenant, "grant_id": envelope.event.grant_id}, values)


def invoice_issued(envelope: Envelope[InvoiceIssued]) -> Iterable[RowOp]:
    """List an invoice as it was issued."""
    yield Insert(
        billing_invoices,
        {
            "tenant": envelope.tenant,
            "invoice_id": envelope.event.invoice_id,
            "position": envelope.position,
            "status": "issued",
            "document": envelope.event,
        },
    )


def payment_noted(envelope: Envelope[Payment]) -> Iterable[RowOp]:
    """Show what became of an invoice."""
    event = envelope.event
    yield Update(
        billing_invoices,
        {"tenant": envelope.tenant, "invoice_id": event.invoice_id},
        {"status": status_of(event), "noticed_at": event.noticed_at},
    )


HANDLERS: Mapping[type[Event], Handler] = {
    PlanPublished: plan_published,
    SubscriptionSet: subscription_set,
    SubscriptionCancelled: subscription_cancelled,
    CreditGranted: credit_granted,
    CreditConsumed: credit_consumed,
    CreditExpired: credit_expired,
    InvoiceIssued: invoice_issued,
    InvoicePaid: payment_noted,
    InvoicePaymentFailed: payment_noted,
    InvoiceAbandoned: payment_noted,
    **PAYMENTS,
}

BILLING = Projection(
    name="billing",
    version=1,
    tables=(
        billing_plans,
        billing_subscriptions,
        billing_credits,
        billing_invoices,
        billing_differences,
        billing_reconciliations,
    ),
    handlers=HANDLERS,
)
