"""What tokens cost: exact, rounded once, never less for more."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.request_record import TokenCounts
from domain.usage.pricing import (
    Price,
    UnitPrices,
    blended_rate,
    cost_bound_micros,
    cost_micros,
    nanos_of,
)

USD = 10**9
GPT = UnitPrices(
    version="v", input=Price(150_000_000), output=Price(600_000_000), cached_input=Price(75_000_000)
)
TOKENS = st.integers(0, 2_000_000)
PRICES = st.builds(Price, st.integers(0, 200 * USD))
BOOKS = st.builds(
    UnitPrices,
    version=st.just("v"),
    input=PRICES,
    output=PRICES,
    cached_input=st.none() | PRICES,
    cache_write=st.none() | PRICES,
    reasoning=st.none() | PRICES,
    cache_write_1h=st.none() | PRICES,
    audio_input=st.none() | PRICES,
    audio_output=st.none() | PRICES,
)


@st.composite
def usages(draw: st.DrawFn) -> TokenCounts:
    whole, output = draw(TOKENS), draw(TOKENS)
    cached = draw(st.integers(0, whole))
    written = draw(st.integers(0, whole - cached))
    reasoning = draw(st.integers(0, output))
    return TokenCounts(
        input=whole,
        cached_input=cached,
        cache_write=written,
        cache_write_1h=draw(st.integers(0, written)),
        audio_input=draw(st.integers(0, whole - cached - written)),
        output=output,
        reasoning=reasoning,
        audio_output=draw(st.integers(0, output - reasoning)),
    )


@pytest.mark.parametrize(
    ("usage", "micros"),
    [
        (TokenCounts(), 0),
        (TokenCounts(input=0, output=0), 0),
        (TokenCounts(input=1_000_000), 150_000),
        (TokenCounts(output=1_000_000), 600_000),
        (TokenCounts(input=1000, cached_input=200, output=50), 165),  # 120 + 15 + 30
        (TokenCounts(input=100, cache_write=100), 15),  # no price of its own: as input
        (TokenCounts(output=100, reasoning=40), 60),
        (TokenCounts(input=10), 2),  # 1.5 rounds to even
        (TokenCounts(input=30), 4),  # 4.5 rounds to even
        (TokenCounts(input=3), 0),  # 0.45
        (TokenCounts(cached_input=1_000_000), 75_000),  # a part without its whole is billed as it is
    ],
)
def test_known_costs(usage: TokenCounts, micros: int):
    assert cost_micros(usage, GPT) == micros


def test_a_long_input_moves_every_class_to_its_tier():
    long = UnitPrices(
        version="v",
        input=Price(3 * USD, ((200_000, 6 * USD),)),
        output=Price(15 * USD, ((200_000, 22 * USD),)),
        cached_input=Price(USD, ((200_000, 2 * USD),)),
    )
    at_the_edge = TokenCounts(input=200_000, cached_input=100_000, output=1000)
    above_it = TokenCounts(input=200_001, cached_input=100_000, output=1000)
    assert cost_micros(at_the_edge, long) == 300_000 + 100_000 + 15_000
    assert cost_micros(above_it, long) == 600_006 + 200_000 + 22_000


def test_a_fee_is_charged_once_a_request():
    assert cost_micros(TokenCounts(input=0), UnitPrices(version="v", request_nanos=12_000_000)) == 12_000


def test_a_search_has_a_fee_of_its_own():
    prices = UnitPrices(version="v", input=Price(USD), search_nanos=10_000_000)
    assert cost_micros(TokenCounts(input=1000, web_searches=3), prices) == 1000 + 30_000


def test_reasoning_with_a_price_of_its_own_is_not_billed_twice():
    prices = UnitPrices(version="v", output=Price(8 * USD), reasoning=Price(3 * USD))
    assert cost_micros(TokenCounts(output=100, reasoning=40), prices) == 60 * 8 + 40 * 3


@given(usages(), BOOKS)
def test_a_cost_is_the_exact_sum_rounded_half_to_even(usage: TokenCounts, prices: UnitPrices):
    cached, written = usage.cached_input or 0, usage.cache_write or 0
    reasoning = (usage.reasoning or 0) if prices.reasoning else 0
    heard = (usage.audio_input or 0) if prices.audio_input else 0
    spoken = (usage.audio_output or 0) if prices.audio_output else 0
    long = (usage.cache_write_1h or 0) if prices.cache_write_1h else 0
    exact = sum(
        Fraction(tokens * price.nanos, 10**9)
        for tokens, price in (
            ((usage.input or 0) - cached - written - heard, prices.input),
            (heard, prices.audio_input or prices.input),
            (cached, prices.cached_input or prices.input),
            (written - long, prices.cache_write or prices.input),
            (long, prices.cache_write_1h or prices.input),
            ((usage.output or 0) - reasoning - spoken, prices.output),
            (spoken, prices.audio_output or prices.output),
            (reasoning, prices.reasoning or prices.output),
        )
    )
    assert cost_micros(usage, prices) == round(exact)


@given(usages(), BOOKS, st.integers(0, 1000), st.integers(0, 1000))
def test_more_tokens_never_cost_less(usage: TokenCounts, prices: UnitPrices, more_in: int, more_out: int):
    larger = msgspec.structs.replace(
        usage, input=(usage.input or 0) + more_in, output=(usage.output or 0) + more_out
    )
    assert cost_micros(larger, prices) >= cost_micros(usage, prices) >= 0


@given(usages(), usages(), BOOKS)
def test_two_requests_cost_their_sum_but_for_rounding(one: TokenCounts, two: TokenCounts, prices: UnitPrices):
    both = TokenCounts(
        **{
            field: (getattr(one, field) or 0) + (getattr(two, field) or 0)
            for field in TokenCounts.__struct_fields__
        }
    )
    assert abs(cost_micros(both, prices) - cost_micros(one, prices) - cost_micros(two, prices)) <= 1


@given(st.decimals(0, 1_000_000, places=9))
def test_dollars_to_nine_decimals_become_exact_nanos(usd: Decimal):
    assert Decimal(nanos_of(usd)) == (usd * USD).to_integral_value(rounding=ROUND_HALF_EVEN)
    assert Fraction(nanos_of(usd), USD) == Fraction(usd)


def test_models_compare_by_a_blend_of_their_prices():
    dear = UnitPrices(version="v", input=Price(3 * USD), output=Price(15 * USD))
    free = UnitPrices(version="v")
    assert blended_rate(free) == 0 < blended_rate(GPT) < blended_rate(dear) == 6000


@given(
    st.integers(0, 400_000),
    st.integers(0, 50_000),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.lists(st.integers(0, 10**12), min_size=6, max_size=6),
)
def test_no_use_within_a_bound_costs_more_than_the_bound(
    read: int, written: int, cached: float, cache_write: float, reasoning: float, nanos: list[int]
) -> None:
    prices = UnitPrices(
        version="v",
        input=Price(nanos[0], ((200_000, nanos[1]),)),
        output=Price(nanos[2]),
        cached_input=Price(nanos[3]),
        cache_write=Price(nanos[4]),
        reasoning=Price(nanos[5]),
        request_nanos=7,
    )
    from_cache = int(read * cached)
    usage = TokenCounts(
        input=read,
        cached_input=from_cache,
        cache_write=int((read - from_cache) * cache_write),
        output=written,
        reasoning=int(written * reasoning),
    )
    assert cost_micros(usage, prices) <= cost_bound_micros(read, written, prices)
