"""What the payment system was told of a tenant, and where its books and ours differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID, uuid5

from domain.billing.metering import Cell
from domain.billing.payment_events import (
    CustomerLinked,
    DifferenceCleared,
    DifferenceNoticed,
    InvoiceSent,
    MeterEntry,
    ReconciliationCompleted,
    RemoteSubscriptionLinked,
    UsageReportPrepared,
    UsageReportSent,
)
from domain.kernel.aggregate import Aggregate
from domain.kernel.events import Event

PAYMENTS_ID = "account"
METERS = ("input", "cached_input", "cache_write", "output", "cost_micros")
_REPORTS = UUID("3b0d3b9e-3d0e-5b62-8a51-0c0c7b5a4a11")


class PaymentAccount(Aggregate):
    """What the payment system knows of one tenant, by our ids and its own."""

    KIND: ClassVar[str] = "billing-payments"

    def initialise(self) -> None:
        """Start unknown to the payment system."""
        self.customer: str | None = None
        self.subscription: str | None = None
        self.prices: tuple[str, ...] = ()
        self.sent: dict[str, InvoiceSent] = {}
        self.reports: dict[str, UsageReportPrepared] = {}
        self.reported: set[str] = set()
        self.upto_position = 0

    def apply(self, event: Event) -> None:
        """Fold one event."""
        match event:
            case CustomerLinked():
                self.customer = event.remote_id
            case RemoteSubscriptionLinked():
                self.subscription, self.prices = event.remote_id, event.prices
            case InvoiceSent():
                self.sent[event.invoice_id] = event
            case UsageReportPrepared():
                self.reports[event.report_id] = event
                self.upto_position = event.upto_position
            case UsageReportSent():
                self.reported.add(event.report_id)
            case _:
                pass

    def link_customer(self, remote_id: str, at: datetime) -> None:
        """Keep the customer's id."""
        if self.customer is None:
            self.record(CustomerLinked(remote_id=remote_id, linked_at=at), at)

    def link_subscription(self, remote_id: str, prices: Sequence[str], at: datetime) -> None:
        """Keep the subscription's id."""
        if (self.subscription, self.prices) != (remote_id, tuple(prices)):
            linked = RemoteSubscriptionLinked(remote_id=remote_id, prices=tuple(prices), linked_at=at)
            self.record(linked, at)

    def invoice_sent(self, invoice_id: str, remote_id: str, total_minor: int, at: datetime) -> None:
        """Keep the id under which an invoice is known there."""
        if invoice_id not in self.sent:
            sent = InvoiceSent(
                invoice_id=invoice_id, remote_id=remote_id, total_minor=total_minor, sent_at=at
            )
            self.record(sent, at)

    def prepare_report(
        self, tenant: str, cells: Iterable[Cell], upto: int, at: datetime
    ) -> UsageReportPrepared | None:
        """Prepare the report of what was recorded since the last one; None when there is nothing new."""
        entries = meter_entries(cells)
        if not entries or upto <= self.upto_position:
            return None
        report = UsageReportPrepared(
            report_id=f"rep_{uuid5(_REPORTS, f'{tenant}/{self.upto_position}').hex}",
            after_position=self.upto_position,
            upto_position=upto,
            entries=entries,
            prepared_at=at,
        )
        self.record(report, at)
        return report

    def report_sent(self, report_id: str, at: datetime) -> None:
        """Note that a report has arrived whole."""
        if report_id not in self.reported:
            self.record(UsageReportSent(report_id=report_id, sent_at=at), at)


def meter_entries(cells: Iterable[Cell]) -> tuple[MeterEntry, ...]:
    """Add usage up by hour and meter, in that order; nothing for what was not used."""
    sums: Counter[tuple[datetime, str]] = Counter()
    for cell in cells:
        if cell.quarter is not None:
            hour = cell.quarter.astimezone(UTC).replace(minute=0)
            for meter in METERS:
                sums[hour, meter] += getattr(cell.amounts, meter)
    return tuple(
        MeterEntry(hour=hour, meter=meter, quantity=quantity)
        for (hour, meter), quantity in sorted(sums.items())
        if quantity
    )


class Books(Aggregate):
    """Where a tenant's books differ from the payment system's; those of the installation hold the cursor."""

    KIND: ClassVar[str] = "billing-books"

    def initialise(self) -> None:
        """Start in agreement."""
        self.open: dict[tuple[str, str], tuple[str, str]] = {}
        self.cursor: datetime | None = None

    def apply(self, event: Event) -> None:
        """Fold one event."""
        match event:
            case DifferenceNoticed():
                self.open[event.kind, event.subject] = (event.ours, event.theirs)
            case DifferenceCleared():
                self.open.pop((event.kind, event.subject), None)
            case ReconciliationCompleted():
                self.cursor = event.cursor or self.cursor
            case _:
                pass

    def compare(self, kind: str, subject: str, ours: str, theirs: str, at: datetime) -> bool:
        """Record a difference, or that there is none any more, once each; returns whether they differ."""
        known = self.open.get((kind, subject))
        if ours == theirs:
            if known is not None:
                self.record(DifferenceCleared(kind=kind, subject=subject, cleared_at=at), at)
            return False
        if known != (ours, theirs):
            found = DifferenceNoticed(kind=kind, subject=subject, ours=ours, theirs=theirs, found_at=at)
            self.record(found, at)
        return True

    def completed(self, event: ReconciliationCompleted, at: datetime) -> None:
        """Note that the books were compared."""
        self.record(event, at)
