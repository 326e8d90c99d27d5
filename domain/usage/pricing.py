"""What tokens cost: exact integer arithmetic, rounded once, half to even, to whole micro-dollars.

Prices are nano-dollars per million tokens. Of the input, what was read from a cache, written to one, or is
audio has its own price; a tier applies to every token of a request whose whole input is longer than the
tier's start, as the providers bill it.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

import msgspec

from domain.kernel.request_record import TokenCounts

NANOS = 10**9
_TOKENS = 10**6
_NANOS_A_MICRO = 10**3
_INPUTS = ("input", "cached_input", "cache_write", "cache_write_1h", "audio_input")
_OUTPUTS = ("output", "reasoning", "audio_output")


class Price(msgspec.Struct, frozen=True, cache_hash=True):
    """Nano-dollars per million tokens; `tiers` are (start, nanos), by rising start, for long inputs."""

    nanos: int
    tiers: tuple[tuple[int, int], ...] = ()

    def at(self, input_tokens: int) -> int:
        """Return the price for a request with this much input."""
        nanos = self.nanos
        for start, price in self.tiers:
            if input_tokens > start:
                nanos = price
        return nanos


FREE = Price(0)


class UnitPrices(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """The prices of one model at one time. Classes without a price of their own cost as input or output.

    `version` names the price book, so that a cost can be explained later; `request_nanos` is a fee a request,
    `search_nanos` one for each search of the provider's own tool. Writes to a cache that keeps for an hour
    cost as other writes without a price of their own.
    """

    version: str
    input: Price = FREE
    output: Price = FREE
    cached_input: Price | None = None
    cache_write: Price | None = None
    reasoning: Price | None = None
    request_nanos: int = 0
    cache_write_1h: Price | None = None
    audio_input: Price | None = None
    audio_output: Price | None = None
    search_nanos: int = 0


def nanos_of(usd: Decimal) -> int:
    """Convert dollars to nano-dollars, rounding half to even."""
    return int((usd * NANOS).to_integral_value(rounding=ROUND_HALF_EVEN))


def usd_per_million(nanos: int) -> str:
    """Write nano-dollars as a plain decimal string of dollars, without zeros at its end: `0.15`."""
    return f"{Decimal(nanos).scaleb(-9).normalize():f}"


def cost_micros(usage: TokenCounts, prices: UnitPrices) -> int:
    """Return the cost of one attempt in micro-dollars. Counts that were not reported count as 0.

    Cached, written and audio tokens are parts of the input, reasoning and audio are parts of the output;
    parts that exceed their whole are billed as they are, the rest of the whole as nothing.
    """
    cached, written = usage.cached_input or 0, usage.cache_write or 0
    spoken = (usage.audio_input or 0) if prices.audio_input else 0
    whole = max(usage.input or 0, cached + written + spoken)
    input_nanos = prices.input.at(whole)
    total = (whole - cached - written - spoken) * input_nanos
    total += cached * (prices.cached_input.at(whole) if prices.cached_input else input_nanos)
    if written:
        total += _written(usage, prices, whole)
    if spoken and prices.audio_input:
        total += spoken * prices.audio_input.at(whole)
    total += _output(usage, prices, whole)
    total += (prices.request_nanos + prices.search_nanos * (usage.web_searches or 0)) * _TOKENS
    return _half_even(total, _TOKENS * _NANOS_A_MICRO)


def cost_bound_micros(input_tokens: int, output_tokens: int, prices: UnitPrices) -> int:
    """Return the most that so many tokens can cost, whatever class each of them turns out to be of.

    Fees for searches are not in it: how often a provider searches is not known before.
    """
    dearest_input, dearest_output = _flat(prices) or _dearest(prices, input_tokens)
    total = input_tokens * dearest_input + output_tokens * dearest_output + prices.request_nanos * _TOKENS
    return -(-total // (_TOKENS * _NANOS_A_MICRO))


def blended_rate(prices: UnitPrices) -> float:
    """Return the micro-dollars of 1000 tokens in one request, three quarters of them input."""
    tokens = (3 * prices.input.nanos + prices.output.nanos) / 4 / _TOKENS
    return tokens + prices.request_nanos / _NANOS_A_MICRO


@lru_cache(4096)
def _flat(prices: UnitPrices) -> tuple[int, int] | None:
    """Return the dearest prices of input and output where length does not matter, None where it does."""
    given = (getattr(prices, field) for field in (*_INPUTS, *_OUTPUTS))
    return None if any(price is not None and price.tiers for price in given) else _dearest(prices, 0)


def _dearest(prices: UnitPrices, most_input: int) -> tuple[int, int]:
    """Return the highest prices of input and output for requests with up to so much input."""

    def highest(fields: tuple[str, ...]) -> int:
        given: list[Price] = [price for field in fields if (price := getattr(prices, field)) is not None]
        tiers = [nanos for price in given for start, nanos in price.tiers if most_input > start]
        return max([price.nanos for price in given] + tiers)

    return highest(_INPUTS), highest(_OUTPUTS)


def _output(usage: TokenCounts, prices: UnitPrices, whole_input: int) -> int:
    output = usage.output or 0
    nanos = prices.output.at(whole_input)
    if prices.reasoning is None and prices.audio_output is None:
        return output * nanos
    total, plain = 0, output
    for price, tokens in ((prices.reasoning, usage.reasoning), (prices.audio_output, usage.audio_output)):
        if price is not None and tokens:
            total += tokens * price.at(whole_input)
            plain -= tokens
    return total + max(0, plain) * nanos


def _written(usage: TokenCounts, prices: UnitPrices, whole: int) -> int:
    """Return the nano-dollars (times a million) of what was written to caches."""
    written = usage.cache_write or 0
    short = (prices.cache_write or prices.input).at(whole)
    if prices.cache_write_1h is None:
        return written * short
    long = min(usage.cache_write_1h or 0, written)
    return (written - long) * short + long * prices.cache_write_1h.at(whole)


def _half_even(numerator: int, denominator: int) -> int:
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1):
        return quotient + 1
    return quotient
