"""What happens between an account and the payment system; its ids are kept, nothing personal is."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from domain.kernel.events import Event

Depth = Literal["hourly", "nightly"]
Source = Literal["webhook", "poll"]


class MeterEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity of a meter that was used in the hour from `hour` on."""

    hour: datetime
    meter: str
    quantity: int


class CustomerLinked(Event, frozen=True, kw_only=True):
    """The payment system knows the tenant as this customer."""

    TYPE: ClassVar[str] = "billing.customer_linked"

    remote_id: str
    linked_at: datetime


class InvoiceSent(Event, frozen=True, kw_only=True):
    """The payment system has the invoice, with every line, and collects it."""

    TYPE: ClassVar[str] = "billing.invoice_sent"

    invoice_id: str
    remote_id: str
    total_minor: int
    sent_at: datetime


class RemoteSubscriptionLinked(Event, frozen=True, kw_only=True):
    """The payment system has a subscription that prices reported quantities."""

    TYPE: ClassVar[str] = "billing.remote_subscription_linked"

    remote_id: str
    prices: tuple[str, ...]
    linked_at: datetime


class UsageReportPrepared(Event, frozen=True, kw_only=True):
    """What was recorded after one position and up to another is to be reported, by hour and meter.

    Reports follow each other without gap or overlap, so each token is in one.
    """

    TYPE: ClassVar[str] = "billing.usage_report_prepared"

    report_id: str
    after_position: int
    upto_position: int
    entries: tuple[MeterEntry, ...]
    prepared_at: datetime


class UsageReportSent(Event, frozen=True, kw_only=True):
    """The payment system has every entry of a report."""

    TYPE: ClassVar[str] = "billing.usage_report_sent"

    report_id: str
    sent_at: datetime


class PaymentNoticeReceived(Event, frozen=True, kw_only=True):
    """The payment system said that something happened to an object; what, is asked when it is worked on.

    One event a notice, however often it arrives; `source` is how it arrived first.
    """

    TYPE: ClassVar[str] = "billing.payment_notice_received"

    notice_id: str
    kind: str
    object_type: str
    object_id: str
    happened_at: datetime
    source: Source


class DifferenceNoticed(Event, frozen=True, kw_only=True):
    """Our books and the payment system's differ about a subject; nobody changes either silently."""

    TYPE: ClassVar[str] = "billing.difference_noticed"

    kind: str
    subject: str
    ours: str
    theirs: str
    found_at: datetime


class DifferenceCleared(Event, frozen=True, kw_only=True):
    """The books agree about the subject again."""

    TYPE: ClassVar[str] = "billing.difference_cleared"

    kind: str
    subject: str
    cleared_at: datetime


class ReconciliationCompleted(Event, frozen=True, kw_only=True):
    """The books were compared. `cursor` is up to when the payment system's events were looked through."""

    TYPE: ClassVar[str] = "billing.reconciliation_completed"

    depth: Depth
    checked: int
    found: int
    completed_at: datetime
    cursor: datetime | None = None


EVENTS: tuple[type[Event], ...] = (
    CustomerLinked,
    InvoiceSent,
    RemoteSubscriptionLinked,
    UsageReportPrepared,
    UsageReportSent,
    PaymentNoticeReceived,
    DifferenceNoticed,
    DifferenceCleared,
    ReconciliationCompleted,
)
