"""Credits: granted amounts that pay invoices before money does, in an order that never depends on chance."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from domain.billing.currency import step_of
from domain.kernel.values import Period

LOWEST_PRIORITY = 100
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a granted credit. Lower `priority` is used first; None never expires."""

    grant_id: str
    currency: str
    amount_minor: int
    remaining_minor: int
    priority: int
    granted_at: datetime
    expires_at: datetime | None = None
    note: str = ""


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a grant an invoice takes."""

    grant: Grant
    amount_minor: int


def in_order(grants: Iterable[Grant]) -> list[Grant]:
    """Return grants as they are used: by priority, then the one that expires first, then the oldest."""
    return sorted(grants, key=lambda g: (g.priority, g.expires_at or NEVER, g.granted_at, g.grant_id))


def use_for(grants: Iterable[Grant], period: Period, currency: str, owed_minor: int) -> list[Use]:
    """Return which grants pay an invoice, and how much; a grant pays for periods begun before its end."""
    uses, left, step = [], owed_minor, step_of(currency)
    for grant in in_order(grants):
        if grant.currency != currency or (grant.expires_at and grant.expires_at <= period.start):
            continue
        amount = min(left, grant.remaining_minor) // step * step
        if amount > 0:
            uses.append(Use(grant=grant, amount_minor=amount))
            left -= amount
    return uses


def expired_by(grants: Iterable[Grant], end: datetime) -> list[Grant]:
    """Return grants with something left that pay for no period from `end` on."""
    return [g for g in in_order(grants) if g.remaining_minor and g.expires_at and g.expires_at <= end]
