"""What a plan is: which usage is charged how. Money is in minor units, prices in 10^-9 units per Mtok.

`PlanTerms` stands in events, so it carries no bounds; `check_plan` holds the rules for new ones.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from domain.billing.currency import MOST_MINOR, check_currency
from domain.kernel.errors import FieldError, InvalidInput

TokenClass = Literal["input", "cached_input", "cache_write", "output"]
Pricing = Literal["per_unit", "graduated", "volume", "cost_plus"]

TOKEN_CLASSES: tuple[TokenClass, ...] = ("input", "cached_input", "cache_write", "output")
IDENTIFIER = r"^[a-z0-9][a-z0-9._-]{0,62}$"
MOST_CHARGES = 50
MOST_TIERS = 20
MOST_TOKENS = 10**15
MOST_NANOS = 10**15
MOST_MARKUP_BPS = 1_000_000
MICROS = 1_000_000
_IDENTIFIER = re.compile(IDENTIFIER.rstrip("$"))
_PATTERN = re.compile(r"[^*\x00-\x1f]{1,255}\*?|\*")


class Tier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A price for tokens up to and including the `up_to`th; None is without end."""

    nanos_per_mtok: int
    up_to: int | None = None


class Charge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the invoice: tokens of some classes of some models, all at one price or in tiers.

    `graduated` prices each part of the quantity in its own tier, `volume` all of it in the tier it reaches.
    `cost_plus` takes what providers charged plus `markup_bps` hundredths of a percent. A model is named
    `provider/model`; one `*` at the end stands for any rest.
    """

    charge_id: str
    name: str
    pricing: Pricing = "per_unit"
    models: tuple[str, ...] = ("*",)
    token_classes: tuple[TokenClass, ...] = TOKEN_CLASSES
    nanos_per_mtok: int = 0
    tiers: tuple[Tier, ...] = ()
    markup_bps: int = 0

    def takes_model(self, model: str) -> bool:
        """Tell whether a model, `provider/model`, is meant."""
        return any(_matches(pattern, model) for pattern in self.models)


class PlanTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A version of a plan. The first charge that takes a model and token class prices it.

    `included_tokens` a period are taken off in the order of the charges. `usd_rate_micros` converts what
    providers charge: millionths of the currency's unit for a dollar.
    """

    plan_id: str
    name: str
    currency: str
    version: int = 0
    base_fee_minor: int = 0
    minimum_minor: int = 0
    included_tokens: int = 0
    charges: tuple[Charge, ...] = ()
    usd_rate_micros: int = MICROS

    @property
    def label(self) -> str:
        """Return the version's name, `pro@2`."""
        return f"{self.plan_id}@{self.version}"


AT_COST = PlanTerms(
    plan_id="at-cost",
    name="At cost",
    currency="USD",
    version=1,
    charges=(Charge(charge_id="usage", name="Usage at the providers' prices", pricing="cost_plus"),),
)
"""The plan that every installation has, and by which previews of tenants without a subscription go."""


def _matches(pattern: str, model: str) -> bool:
    return model.startswith(pattern[:-1]) if pattern.endswith("*") else model == pattern


def check_plan(terms: PlanTerms) -> None:
    """Raise InvalidInput that names every unusable field."""
    check_currency(terms.currency)
    errors = [*_plan_errors(terms)]
    seen: set[str] = set()
    for index, charge in enumerate(terms.charges):
        pointer = f"/charges/{index}"
        if charge.charge_id in seen:
            errors.append(FieldError(f"{pointer}/charge_id", f"'{charge.charge_id}' stands here twice"))
        seen.add(charge.charge_id)
        errors += _charge_errors(charge, pointer)
    if errors:
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}", errors)


def _plan_errors(terms: PlanTerms) -> list[FieldError]:
    found = []
    if not _IDENTIFIER.fullmatch(terms.plan_id):
        found.append(FieldError("/plan_id", "use 1 to 63 lower-case letters, digits, '.', '_' or '-'"))
    if terms.plan_id == AT_COST.plan_id:
        found.append(FieldError("/plan_id", f"'{AT_COST.plan_id}' is built in; choose another id"))
    for field, value, most in (
        ("base_fee", terms.base_fee_minor, MOST_MINOR),
        ("minimum", terms.minimum_minor, MOST_MINOR),
        ("included_tokens", terms.included_tokens, MOST_TOKENS),
    ):
        if not 0 <= value <= most:
            found.append(FieldError(f"/{field}", f"use 0 to {most}, in the smallest unit"))
    if not 0 < terms.usd_rate_micros <= MOST_NANOS:
        found.append(FieldError("/usd_rate", "use a rate above 0: units of the currency for a dollar"))
    if len(terms.charges) > MOST_CHARGES:
        found.append(FieldError("/charges", f"use at most {MOST_CHARGES} charges"))
    return found


def _charge_errors(charge: Charge, pointer: str) -> list[FieldError]:
    found = []
    if not _IDENTIFIER.fullmatch(charge.charge_id):
        detail = "use 1 to 63 lower-case letters, digits, '.', '_' or '-'"
        found.append(FieldError(f"{pointer}/charge_id", detail))
    if not charge.models:
        found.append(FieldError(f"{pointer}/models", "name at least one model; '*' means all"))
    if not charge.token_classes:
        found.append(FieldError(f"{pointer}/token_classes", f"name some of {', '.join(TOKEN_CLASSES)}"))
    for index, pattern in enumerate(charge.models):
        if not _PATTERN.fullmatch(pattern):
            detail = "use 'provider/model', with at most one '*', at the end"
            found.append(FieldError(f"{pointer}/models/{index}", detail))
    if not 0 <= charge.nanos_per_mtok <= MOST_NANOS:
        found.append(FieldError(f"{pointer}/price_per_mtok", "use a price from 0 on"))
    if not 0 <= charge.markup_bps <= MOST_MARKUP_BPS:
        found.append(FieldError(f"{pointer}/markup_percent", "use 0 to 10000 percent"))
    return found + _tier_errors(charge, f"{pointer}/tiers")


def _tier_errors(charge: Charge, pointer: str) -> list[FieldError]:
    if charge.pricing not in {"graduated", "volume"}:
        return (
            [FieldError(pointer, f"'{charge.pricing}' has no tiers; leave them off")] if charge.tiers else []
        )
    if not 0 < len(charge.tiers) <= MOST_TIERS:
        return [FieldError(pointer, f"'{charge.pricing}' needs 1 to {MOST_TIERS} tiers")]
    found, before = [], 0
    for index, tier in enumerate(charge.tiers):
        last = index == len(charge.tiers) - 1
        if not 0 <= tier.nanos_per_mtok <= MOST_NANOS:
            found.append(FieldError(f"{pointer}/{index}/price_per_mtok", "use a price from 0 on"))
        if last != (tier.up_to is None):
            detail = "the last tier, and no other, is without end: leave `up_to` off there"
            found.append(FieldError(f"{pointer}/{index}/up_to", detail))
        elif tier.up_to is not None and not before < tier.up_to <= MOST_TOKENS:
            detail = f"tiers overlap: this must be more than the {before} of the tier before"
            found.append(FieldError(f"{pointer}/{index}/up_to", detail))
        before = tier.up_to or before
    return found
