"""Turns usage into money: charges, tiers and included tokens; exact until one rounding a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from domain.billing.currency import rounded
from domain.billing.metering import Cell
from domain.billing.plan import TOKEN_CLASSES, Charge, PlanTerms, Tier

ATTOS_A_TOKEN_NANO = 1_000
"""A token at 10^-9 units a million costs 10^-15 units, which is this many 10^-18."""

ATTOS_A_COST = 100
"""Micro-dollars times a rate in 10^-6 times hundredths of a percent are 10^-16 units."""

WHOLE_BPS = 10_000


class Assigned(msgspec.Struct, frozen=True, kw_only=True):
    """Usage by charge: tokens, or micro-dollars of a `cost_plus` charge; and what no charge took."""

    quantities: Mapping[str, int]
    unrated_tokens: int = 0
    unpriced_requests: int = 0


class TierShare(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a quantity fell into a tier."""

    quantity: int
    nanos_per_mtok: int


class Rated(msgspec.Struct, frozen=True, kw_only=True):
    """A charge's price for a quantity, in minor units, rounded once; `included` tokens of it were free."""

    charge: Charge
    quantity: int
    included: int
    amount_minor: int
    shares: tuple[TierShare, ...] = ()


def assign(plan: PlanTerms, cells: Iterable[Cell]) -> Assigned:
    """Give usage to the plan's charges: each token class of a model to the first charge that takes it.

    A model whose first charge is `cost_plus` is billed by its cost alone; later `cost_plus` charges pass by.
    """
    found: Counter[str] = Counter()
    unrated = unpriced = 0
    for cell in cells:
        takers = [charge for charge in plan.charges if charge.takes_model(cell.model)]
        if takers and takers[0].pricing == "cost_plus":
            found[takers[0].charge_id] += cell.amounts.cost_micros
            unpriced += cell.amounts.unpriced
            continue
        for token_class in TOKEN_CLASSES:
            tokens = getattr(cell.amounts, token_class)
            taker = next((c for c in takers if _takes(c, token_class)), None)
            if taker is None:
                unrated += tokens
            else:
                found[taker.charge_id] += tokens
    quantities = {charge: quantity for charge, quantity in found.items() if quantity}
    return Assigned(quantities=quantities, unrated_tokens=unrated, unpriced_requests=unpriced)


def _takes(charge: Charge, token_class: str) -> bool:
    return charge.pricing != "cost_plus" and token_class in charge.token_classes


def rate(plan: PlanTerms, quantities: Mapping[str, int], included_tokens: int) -> list[Rated]:
    """Price the quantities of a whole period, in the order of the charges; 0 for what was not used."""
    left = included_tokens
    found = []
    for charge in plan.charges:
        quantity = max(0, quantities.get(charge.charge_id, 0))
        free = 0 if charge.pricing == "cost_plus" else min(left, quantity)
        left -= free
        exact, shares = _price(plan, charge, quantity - free)
        found.append(
            Rated(
                charge=charge,
                quantity=quantity,
                included=free,
                amount_minor=rounded(exact, plan.currency),
                shares=shares,
            )
        )
    return found


def _price(plan: PlanTerms, charge: Charge, quantity: int) -> tuple[int, tuple[TierShare, ...]]:
    """Return the exact price, in 10^-18 units, and the shares of the tiers."""
    if charge.pricing == "cost_plus":
        factor = plan.usd_rate_micros * (WHOLE_BPS + charge.markup_bps)
        return quantity * factor * ATTOS_A_COST, ()
    if charge.pricing == "per_unit":
        return quantity * charge.nanos_per_mtok * ATTOS_A_TOKEN_NANO, ()
    shares = (
        _graduated(charge.tiers, quantity) if charge.pricing == "graduated" else _volume(charge, quantity)
    )
    exact = sum(share.quantity * share.nanos_per_mtok for share in shares)
    return exact * ATTOS_A_TOKEN_NANO, shares


def _graduated(tiers: Iterable[Tier], quantity: int) -> tuple[TierShare, ...]:
    shares, below = [], 0
    for tier in tiers:
        top = quantity if tier.up_to is None else min(quantity, tier.up_to)
        if top > below:
            shares.append(TierShare(quantity=top - below, nanos_per_mtok=tier.nanos_per_mtok))
            below = top
    return tuple(shares)


def _volume(charge: Charge, quantity: int) -> tuple[TierShare, ...]:
    if not quantity:
        return ()
    tier = next(t for t in charge.tiers if t.up_to is None or quantity <= t.up_to)
    return (TierShare(quantity=quantity, nanos_per_mtok=tier.nanos_per_mtok),)
