"""Turns what clients write into terms of the domain: decimals into whole numbers, never rounded."""

from __future__ import annotations

from decimal import Decimal

from application.billing.commands import ChargeInput, PublishPlan
from domain.billing.currency import check_currency, minor_of
from domain.billing.plan import MOST_MARKUP_BPS, MOST_NANOS, Charge, PlanTerms, Tier
from domain.kernel.errors import InvalidInput


def plan_terms(command: PublishPlan) -> PlanTerms:
    """Return a plan's terms. Raises InvalidInput for the first number that cannot be kept as it is."""
    check_currency(command.currency)
    return PlanTerms(
        plan_id=command.plan_id,
        name=command.name,
        currency=command.currency,
        base_fee_minor=minor_of(command.base_fee, command.currency, "/base_fee"),
        minimum_minor=minor_of(command.minimum, command.currency, "/minimum"),
        included_tokens=command.included_tokens,
        charges=tuple(_charge(charge, f"/charges/{n}") for n, charge in enumerate(command.charges)),
        usd_rate_micros=_scaled(command.usd_rate, 6, MOST_NANOS, "/usd_rate"),
    )


def _charge(charge: ChargeInput, pointer: str) -> Charge:
    _needed(charge, pointer)
    markup = charge.markup_percent or Decimal(0)
    return Charge(
        charge_id=charge.charge_id,
        name=charge.name,
        pricing=charge.pricing,
        models=charge.models,
        token_classes=charge.token_classes,
        nanos_per_mtok=_price(charge.price_per_mtok or Decimal(0), f"{pointer}/price_per_mtok"),
        tiers=tuple(
            Tier(
                nanos_per_mtok=_price(t.price_per_mtok, f"{pointer}/tiers/{n}/price_per_mtok"), up_to=t.up_to
            )
            for n, t in enumerate(charge.tiers)
        ),
        markup_bps=_scaled(markup, 2, MOST_MARKUP_BPS, f"{pointer}/markup_percent"),
    )


def _needed(charge: ChargeInput, pointer: str) -> None:
    """Raise InvalidInput for a price that the pricing does not use, or one that it lacks."""
    if (charge.pricing == "per_unit") != (charge.price_per_mtok is not None):
        detail = (
            "per_unit needs this price" if charge.pricing == "per_unit" else "only per_unit has one price"
        )
        raise InvalidInput.at(f"{pointer}/price_per_mtok", detail)
    if charge.markup_percent is not None and charge.pricing != "cost_plus":
        raise InvalidInput.at(f"{pointer}/markup_percent", "only cost_plus has a mark-up; leave it off")


def _price(amount: Decimal, pointer: str) -> int:
    return _scaled(amount, 9, MOST_NANOS, pointer)


def _scaled(amount: Decimal, decimals: int, most: int, pointer: str) -> int:
    """Return an amount in 10^-decimals. Raises InvalidInput unless it is a whole number from 0 to `most`."""
    scaled = amount.scaleb(decimals) if amount.is_finite() and abs(amount) < 10**15 else None
    if scaled is None or not 0 <= scaled <= most or scaled % 1 != 0:
        top = f"{Decimal(most).scaleb(-decimals).normalize():f}"
        raise InvalidInput.at(pointer, f"use 0 to {top} with at most {decimals} decimals")
    return int(scaled)
