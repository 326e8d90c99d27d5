"""A tenant's account: decides on subscriptions, credits and the closing of periods."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from domain.billing import periods
from domain.billing.credits import LOWEST_PRIORITY, expired_by
from domain.billing.currency import check_currency
from domain.billing.drafting import Usage, draft
from domain.billing.events import (
    CreditConsumed,
    CreditExpired,
    CreditGranted,
    InvoiceIssued,
    Payment,
    SubscriptionCancelled,
    SubscriptionSet,
)
from domain.billing.invoice import Draft, invoice_id, invoice_number
from domain.billing.ledger import Ledger, status_of
from domain.billing.subscription import BillingPeriod, Subscription
from domain.kernel.aggregate import Aggregate
from domain.kernel.errors import Conflict, InvalidInput
from domain.kernel.events import Event

ACCOUNT_ID = "account"
GRACE = timedelta(hours=1)
"""How long a period stays open after its end, for what ends a little later; after that it is adjusted."""

LONGEST_BACKDATING = timedelta(days=366)


class BillingAccount(Aggregate):
    """The consistency boundary of one tenant's billing; there is one a tenant."""

    KIND: ClassVar[str] = "billing-account"

    def initialise(self) -> None:
        """Start without a subscription."""
        self.ledger = Ledger()

    def apply(self, event: Event) -> None:
        """Fold one event."""
        self.ledger.apply(event)

    def subscribe(self, wanted: Subscription, starts_at: datetime | None, at: datetime) -> datetime:
        """Subscribe, or change the subscription at the end of the present period; returns from when on.

        A first subscription begins with the local day of `starts_at`, now if left off. Raises InvalidInput,
        Conflict for another currency than the account's.
        """
        self._check(wanted, starts_at, at)
        present = self.ledger.period_at(at)
        if present.subscribed:
            effective = present.period.end
        else:
            effective = periods.midnight(starts_at or at, wanted.time_zone)
            last = self.ledger.last_closed
            ended = max((s.start for s in self.ledger.segments if s.start <= at), default=effective)
            effective = max(effective, ended, last.period.end if last else effective)
        self.record(SubscriptionSet(subscription=wanted, effective_at=effective, set_at=at), at)
        return effective

    def cancel(self, at: datetime) -> datetime:
        """End the subscription with the present period; returns when. Raises Conflict without one."""
        present = self.ledger.period_at(at)
        if not present.subscribed:
            raise Conflict("there is no subscription to cancel")
        self.record(SubscriptionCancelled(effective_at=present.period.end, cancelled_at=at), at)
        return present.period.end

    def grant(self, credit: CreditGranted, at: datetime) -> None:
        """Grant credit. Raises InvalidInput, Conflict for another currency than the account's."""
        check_currency(credit.currency)
        self._same_currency(credit.currency)
        if credit.amount_minor <= 0:
            raise InvalidInput.at("/amount", "use an amount above 0")
        if not 0 <= credit.priority <= LOWEST_PRIORITY:
            raise InvalidInput.at("/priority", f"use 0 (first) to {LOWEST_PRIORITY} (last)")
        if credit.expires_at is not None and credit.expires_at <= at:
            raise InvalidInput.at("/expires_at", "this must be in the future; leave it off for no end")
        if credit.grant_id not in self.ledger.grants:
            self.record(credit, at)

    def due(self, at: datetime) -> BillingPeriod | None:
        """Return the oldest period that can be closed, None when none can."""
        found = self.ledger.next_to_close()
        return found if found and found.period.end + GRACE <= at else None

    def close(self, tenant: str, billed: BillingPeriod, usage: Usage, at: datetime) -> InvoiceIssued:
        """Issue a due period's invoice, use up credits, and end those that expired."""
        drafted = draft(self.ledger, billed, usage)
        issued = _issued(tenant, len(self.ledger.closed) + 1, billed, drafted, at)
        self.record(issued, at)
        for line in drafted.lines:
            if line.grant_id is not None:
                left = self.ledger.grants[line.grant_id].remaining_minor + line.amount_minor
                used = CreditConsumed(
                    grant_id=line.grant_id,
                    invoice_id=issued.invoice_id,
                    amount_minor=-line.amount_minor,
                    remaining_minor=left,
                )
                self.record(used, at)
        for grant in expired_by(self.ledger.usable_grants(), billed.period.end):
            ended = CreditExpired(grant_id=grant.grant_id, amount_minor=grant.remaining_minor, expired_at=at)
            self.record(ended, at)
        return issued

    def note_payment(self, event: Payment, at: datetime) -> bool:
        """Record what became of an invoice, once; a paid invoice stays paid. Returns whether it is news."""
        closed = self.ledger.closed.get(event.invoice_id)
        if closed is None or closed.status == "paid":
            return False
        if closed.status == status_of(event):
            return False
        self.record(event, at)
        return True

    def _check(self, wanted: Subscription, starts_at: datetime | None, at: datetime) -> None:
        if not periods.is_time_zone(wanted.time_zone):
            raise InvalidInput.at("/time_zone", "use a name of the IANA database, such as Europe/Berlin")
        if not 1 <= wanted.anchor_day <= 31:
            raise InvalidInput.at("/anchor_day", "use a day of the month, 1 to 31; 31 means the last day")
        if wanted.remote_prices and wanted.collection != "meter_events":
            raise InvalidInput.at("/remote_prices", "only collection 'meter_events' has prices elsewhere")
        self._same_currency(wanted.plan.currency)
        if starts_at is None:
            return
        if self.ledger.period_at(at).subscribed:
            detail = "there is a subscription; a change begins with the next period: leave this off"
            raise InvalidInput.at("/starts_at", detail)
        if not at - LONGEST_BACKDATING <= starts_at <= at:
            raise InvalidInput.at("/starts_at", "use a time of the last 366 days, or leave it off for now")

    def _same_currency(self, currency: str) -> None:
        known = self.ledger.currency
        if known not in {None, currency}:
            raise Conflict(f"this account is in {known} and stays so; it cannot take {currency}")


def _issued(tenant: str, count: int, billed: BillingPeriod, drafted: Draft, at: datetime) -> InvoiceIssued:
    return InvoiceIssued(
        invoice_id=invoice_id(tenant, count),
        number=invoice_number(count),
        period_start=drafted.period.start,
        period_end=drafted.period.end,
        issued_at=at,
        currency=drafted.currency,
        plan=drafted.plan,
        lines=drafted.lines,
        subtotal_minor=drafted.subtotal_minor,
        credits_minor=drafted.credits_minor,
        total_minor=drafted.total_minor,
        as_of_position=drafted.as_of_position,
        share=billed.share,
        unrated_tokens=drafted.unrated_tokens,
        unpriced_requests=drafted.unpriced_requests,
    )
