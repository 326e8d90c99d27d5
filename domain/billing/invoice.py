"""An invoice: its lines in minor units, each rounded once; the total is the sum of the lines as shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID, uuid5

import msgspec

from domain.billing.rating import Rated, TierShare
from domain.kernel.values import Period

LineKind = Literal["base_fee", "usage", "minimum", "adjustment", "carried_over", "carried_forward", "credit"]
Unit = Literal["tokens", "usd_micros"]

BASE_FEE = "base_fee"
MINIMUM = "minimum"
_INVOICES = UUID("0b8f6a5e-54c0-5a3b-9a0f-6f9d4b1c7e21")


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `quantity` is in `unit`, `included` of it were free.

    An adjustment names the invoice that it adjusts, and holds what came late; a credit line names its grant.
    """

    kind: LineKind
    description: str
    amount_minor: int
    charge_id: str | None = None
    quantity: int | None = None
    unit: Unit | None = None
    included: int = 0
    shares: tuple[TierShare, ...] = ()
    adjusts: str | None = None
    grant_id: str | None = None


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice as it would be issued now; everything in it follows from events up to `as_of_position`."""

    period: Period
    plan: str
    currency: str
    lines: tuple[Line, ...]
    as_of_position: int
    unrated_tokens: int = 0
    unpriced_requests: int = 0

    @property
    def subtotal_minor(self) -> int:
        """Return what is owed before credits."""
        return sum(line.amount_minor for line in self.lines if line.kind != "credit")

    @property
    def credits_minor(self) -> int:
        """Return what credits pay, as a positive amount."""
        return -sum(line.amount_minor for line in self.lines if line.kind == "credit")

    @property
    def total_minor(self) -> int:
        """Return what is left to pay."""
        return sum(line.amount_minor for line in self.lines)


def invoice_id(tenant: str, number: int) -> str:
    """Return the id of a tenant's nth invoice."""
    return f"inv_{uuid5(_INVOICES, f'{tenant}/{number}').hex}"


def invoice_number(number: int) -> str:
    """Return how a tenant's nth invoice is called."""
    return f"INV-{number:06d}"


def usage_lines(rated: Sequence[Rated]) -> list[Line]:
    """Return a line for each charge that was used."""
    return [
        Line(
            kind="usage",
            description=described(r),
            amount_minor=r.amount_minor,
            charge_id=r.charge.charge_id,
            quantity=r.quantity,
            unit=unit_of(r),
            included=r.included,
            shares=r.shares,
        )
        for r in rated
        if r.quantity
    ]


def unit_of(rated: Rated) -> Unit:
    """Return in what a charge's quantity is counted."""
    return "usd_micros" if rated.charge.pricing == "cost_plus" else "tokens"


def described(rated: Rated) -> str:
    """Return a line's text: the charge and how much of it."""
    name = rated.charge.name
    if rated.charge.pricing == "cost_plus":
        return name
    included = f", {rated.included:,} included" if rated.included else ""
    return f"{name}: {rated.quantity:,} tokens{included}"
