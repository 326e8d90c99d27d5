"""An account in memory with its usage, for tests that say what was used when and close periods."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from domain.billing import metering
from domain.billing.account import BillingAccount
from domain.billing.drafting import Usage, draft
from domain.billing.events import CreditGranted, InvoiceIssued
from domain.billing.invoice import Draft
from domain.billing.metering import Amounts, Cell
from domain.billing.plan import Charge, PlanTerms
from domain.billing.subscription import BillingPeriod, Subscription

JAN = datetime(2026, 1, 1, tzinfo=UTC)


def nanos(price: str) -> int:
    """Return a price a million tokens in 10^-9 units."""
    return int(Decimal(price) * 10**9)


def per_unit(charge_id: str = "tokens", price: str = "1", **fields: Any) -> Charge:
    return Charge(charge_id=charge_id, name=charge_id.title(), nanos_per_mtok=nanos(price), **fields)


def plan(*charges: Charge, **fields: Any) -> PlanTerms:
    usual = {"plan_id": "pro", "name": "Pro", "currency": "USD", "version": 1}
    return PlanTerms(**{**usual, **fields}, charges=charges or (per_unit(),))


class World:
    """One tenant; every use of a model gets the next position of the log."""

    def __init__(self, at: datetime = JAN) -> None:
        self.account = BillingAccount.blank("t1/billing-account/account", at)
        self.used: list[tuple[int, datetime, Cell]] = []

    def subscribe(self, terms: PlanTerms, at: datetime = JAN, **fields: Any) -> datetime:
        starts_at = fields.pop("starts_at", None)
        return self.account.subscribe(Subscription(plan=terms, **fields), starts_at, at)

    def grant(self, grant_id: str, amount: int, at: datetime = JAN, **fields: Any) -> None:
        usual = {"currency": "USD", "priority": 50, "granted_at": at}
        credit = CreditGranted(grant_id=grant_id, amount_minor=amount, **{**usual, **fields})
        self.account.grant(credit, at)

    def use(self, at: datetime, model: str = "openai/gpt-5", **amounts: int) -> None:
        cell = Cell(model=model, quarter=metering.quarter_of(at), amounts=Amounts(requests=1, **amounts))
        self.used.append((len(self.used) + 1, at, cell))

    def usage(self, billed: BillingPeriod) -> Usage:
        own = [cell for _, at, cell in self.used if billed.period.holds(at)]
        since = self.account.ledger.as_of_position
        late = [c for position, at, c in self.used if position > since and at < billed.period.start]
        return Usage(as_of_position=len(self.used), own=metering.by_model(own), late=late)

    def preview(self, at: datetime) -> Draft:
        billed = self.account.ledger.period_at(at)
        return draft(self.account.ledger, billed, self.usage(billed))

    def close(self, at: datetime) -> InvoiceIssued:
        due = self.account.due(at)
        assert due is not None
        return self.account.close("t1", due, self.usage(due), at)


def amounts(found: Draft | InvoiceIssued) -> list[tuple[str, int]]:
    """Return the kind and amount of each line."""
    return [(line.kind, line.amount_minor) for line in found.lines]
