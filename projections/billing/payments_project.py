"""Folds what the payment system was told, and where the books differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from domain.billing.payment_events import (
    DifferenceCleared,
    DifferenceNoticed,
    InvoiceSent,
    ReconciliationCompleted,
)
from domain.kernel.events import Envelope, Event
from projections.billing.tables import billing_differences, billing_invoices, billing_reconciliations
from projections.ops import RowOp, Update, Upsert
from projections.projection import Handler


def invoice_sent(envelope: Envelope[InvoiceSent]) -> Iterable[RowOp]:
    """Show the invoice's id at the payment system."""
    event = envelope.event
    address = {"tenant": envelope.tenant, "invoice_id": event.invoice_id}
    yield Update(billing_invoices, address, {"remote_id": event.remote_id})


def difference_noticed(envelope: Envelope[DifferenceNoticed]) -> Iterable[RowOp]:
    """List a difference."""
    event = envelope.event
    yield Upsert(
        billing_differences,
        {
            "tenant": envelope.tenant,
            "kind": event.kind,
            "subject": event.subject,
            "position": envelope.position,
            "ours": event.ours,
            "theirs": event.theirs,
            "found_at": event.found_at,
            "cleared_at": None,
        },
    )


def difference_cleared(envelope: Envelope[DifferenceCleared]) -> Iterable[RowOp]:
    """Mark a difference that is none any more."""
    event = envelope.event
    yield Update(
        billing_differences,
        {"tenant": envelope.tenant, "kind": event.kind, "subject": event.subject},
        {"cleared_at": event.cleared_at},
    )


def reconciliation_completed(envelope: Envelope[ReconciliationCompleted]) -> Iterable[RowOp]:
    """Keep when the books were compared last."""
    event = envelope.event
    row = {
        "depth": event.depth,
        "completed_at": event.completed_at,
        "checked": event.checked,
        "found": event.found,
    }
    yield Upsert(billing_reconciliations, row)


HANDLERS: Mapping[type[Event], Handler] = {
    InvoiceSent: invoice_sent,
    DifferenceNoticed: difference_noticed,
    DifferenceCleared: difference_cleared,
    ReconciliationCompleted: reconciliation_completed,
}
