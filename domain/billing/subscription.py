"""What a tenant subscribed to, one after the other in time: plan, billing month, how money is collected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import Literal

import msgspec

from domain.billing.periods import month_around, share_of_month
from domain.billing.plan import AT_COST, PlanTerms
from domain.kernel.values import Period

Collection = Literal["none", "invoice_items", "meter_events"]


class Subscription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Terms of a subscription; it holds the plan itself, so a later version of the plan changes nothing.

    Months begin on `anchor_day` (31: the last day) at midnight in `time_zone`. `collection` says what goes to
    the payment system: nothing, our invoices with their lines, or quantities that it prices itself by
    `remote_prices`.
    """

    plan: PlanTerms
    anchor_day: int = 1
    time_zone: str = "UTC"
    collection: Collection = "none"
    remote_prices: tuple[str, ...] = ()


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """From when on a subscription is in force; None after a cancellation."""

    start: datetime
    subscription: Subscription | None


UNSUBSCRIBED = Subscription(plan=AT_COST)


class BillingPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """A period with the subscription that governs it, and which part of a whole month it is."""

    period: Period
    subscription: Subscription
    share: tuple[int, int]
    subscribed: bool

    def part_of(self, amount: int) -> Fraction:
        """Return an amount for a whole month, in proportion to the period."""
        return Fraction(amount * self.share[0], self.share[1])


def period_at(segments: Sequence[Segment], at: datetime) -> BillingPeriod:
    """Return the billing period that holds an instant; without a subscription a calendar month, UTC."""
    current, until = None, None
    for segment in segments:
        if segment.start <= at:
            current = segment
        elif until is None:
            until = segment.start
    subscription = (current and current.subscription) or UNSUBSCRIBED
    month = month_around(at, subscription.anchor_day, subscription.time_zone)
    start = month.start if current is None else max(month.start, current.start)
    period = Period(start, month.end if until is None else min(month.end, until))
    share = share_of_month(period, month, subscription.time_zone)
    return BillingPeriod(
        period=period,
        subscription=subscription,
        share=(share.numerator, share.denominator),
        subscribed=bool(current and current.subscription),
    )


def with_change(segments: Sequence[Segment], change: Segment) -> tuple[Segment, ...]:
    """Return the segments with a change, which replaces whatever was to begin from then on."""
    return (*(s for s in segments if s.start < change.start), change)
