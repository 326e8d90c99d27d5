"""Rating: charges, tiers, included tokens, and one rounding a line."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.billing.currency import DECIMALS, minor_text, rounded, step_of
from domain.billing.metering import Amounts, Cell
from domain.billing.plan import Charge, Pricing, Tier
from domain.billing.rating import assign, rate
from tests.domain.billing.world import nanos, per_unit, plan

TIERS = (Tier(up_to=1_000_000, nanos_per_mtok=nanos("10")), Tier(nanos_per_mtok=nanos("8")))


def tiered(pricing: Pricing) -> Charge:
    return Charge(charge_id="t", name="T", pricing=pricing, tiers=TIERS)


@pytest.mark.parametrize(
    ("charge", "quantity", "minor"),
    [
        (per_unit(price="2.50"), 1_000_000, 250),
        (per_unit(price="0.000001"), 10**12, 100),
        (per_unit(price="1"), 5_000, 1),  # half a cent, away from zero
        (per_unit(price="1"), 4_999, 0),
        (tiered("graduated"), 1_000_000, 1_000),
        (tiered("graduated"), 1_500_000, 1_400),
        (tiered("volume"), 1_000_000, 1_000),
        (tiered("volume"), 1_500_000, 1_200),
        (Charge(charge_id="c", name="C", pricing="cost_plus", markup_bps=2_000), 1_234_567, 148),
    ],
)
def test_a_quantity_has_its_price(charge, quantity, minor):
    [rated] = rate(plan(charge), {charge.charge_id: quantity}, 0)
    assert rated.amount_minor == minor


def test_included_tokens_are_taken_off_in_the_order_of_the_charges():
    terms = plan(per_unit("a", "10"), per_unit("b", "20"))

    a, b = rate(terms, {"a": 600_000, "b": 1_000_000}, 1_000_000)

    assert (a.included, a.amount_minor) == (600_000, 0)
    assert (b.included, b.amount_minor) == (400_000, 1_200)


def test_a_charge_converts_cost_by_the_rate_of_its_plan():
    charge = Charge(charge_id="c", name="C", pricing="cost_plus")
    [rated] = rate(plan(charge, currency="EUR", usd_rate_micros=920_000), {"c": 10_000_000}, 0)
    assert rated.amount_minor == 920


def test_the_first_charge_that_takes_model_and_class_prices_it():
    terms = plan(
        per_unit("gpt-input", models=("openai/gpt-5",), token_classes=("input",)),
        Charge(charge_id="local", name="Local", pricing="cost_plus", models=("local/*",)),
        per_unit("rest", models=("openai/*",)),
    )
    cells = [
        Cell(model="openai/gpt-5", amounts=Amounts(input=5, cached_input=1, output=7, cost_micros=9)),
        Cell(model="local/tiny", amounts=Amounts(input=3, output=2, cost_micros=11, unpriced=1)),
        Cell(model="acme/x", amounts=Amounts(input=1, output=1, cost_micros=5)),
    ]

    found = assign(terms, cells)

    assert found.quantities == {"gpt-input": 5, "rest": 8, "local": 11}
    assert (found.unrated_tokens, found.unpriced_requests) == (2, 1)


@given(st.integers(-(10**30), 10**30), st.sampled_from(sorted(DECIMALS)))
def test_rounding_goes_to_the_nearest_chargeable_amount_and_halves_away_from_zero(exact, currency):
    unit = Fraction(step_of(currency), 10 ** DECIMALS[currency])
    value = Fraction(exact, 10**18)

    minor = rounded(exact, currency)

    gap = abs(value - Fraction(minor, 10 ** DECIMALS[currency]))
    assert minor % step_of(currency) == 0
    assert gap <= unit / 2
    assert rounded(-exact, currency) == -minor


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=6), st.sampled_from(["graduated", "volume"]))
def test_usage_costs_the_same_however_it_is_split_into_cells(parts, pricing):
    terms = plan(tiered(pricing))
    cells = [Cell(model="a/b", amounts=Amounts(input=part)) for part in parts]
    whole = [Cell(model="a/b", amounts=Amounts(input=sum(parts)))]

    assert rate(terms, assign(terms, cells).quantities, 7) == rate(terms, assign(terms, whole).quantities, 7)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(1250, "USD", "12.50"), (-5, "USD", "-0.05"), (1250, "JPY", "1250"), (1250, "KWD", "1.250")],
)
def test_money_is_written_with_its_currencys_decimals(minor, currency, text):
    assert minor_text(minor, currency) == text
