"""Extracts the compact edition from `genai-prices`; run as a process of its own, for its memory goes with it.

`python -m infrastructure.pricing.extract VERSION` writes the encoded edition to standard output.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import msgspec
from genai_prices import types as source

from domain.usage.pricing import Price, UnitPrices, nanos_of
from infrastructure.pricing.edition import Clause, DatedPrices, Edition, Model, Provider

_TEXT_CLAUSES = ("equals", "starts_with", "ends_with", "contains", "regex")
_THOUSAND = 1000


def extract(version: str) -> Edition:
    """Return the edition of the bundled data; a model that is not sold by text tokens has no prices."""
    from genai_prices.data import providers

    return Edition(version, tuple(_provider(each, version) for each in providers))


def _provider(provider: source.Provider, version: str) -> Provider:
    models = [_model(model, version) for model in provider.models]
    return Provider(
        provider.id,
        provider.api_pattern,
        tuple(provider.fallback_model_providers or ()),
        msgspec.Raw(msgspec.msgpack.encode(models)),
    )


def _model(model: source.ModelInfo, version: str) -> Model:
    if isinstance(model.prices, source.ModelPrice):
        dated: tuple[DatedPrices, ...] = (DatedPrices(_unit_prices(model.prices, version)),)
    else:
        dated = tuple(_dated(each, version) for each in model.prices)
    return Model(_clause(model.match), dated, model.context_window)


def _dated(conditional: source.ConditionalPrice, version: str) -> DatedPrices:
    prices = _unit_prices(conditional.prices, version)
    match conditional.constraint:
        case source.StartDateConstraint(start_date=day):
            return DatedPrices(prices, day)
        case source.TimeOfDateConstraint(start_time=start, end_time=end):
            return DatedPrices(prices, None, start.replace(tzinfo=None), end.replace(tzinfo=None))
        case _:
            return DatedPrices(prices)


def _unit_prices(prices: source.ModelPrice, version: str) -> UnitPrices | None:
    if prices.input_mtok is None and prices.output_mtok is None:
        return None
    return UnitPrices(
        version=version,
        input=_price(prices.input_mtok) or Price(0),
        output=_price(prices.output_mtok) or Price(0),
        cached_input=_price(prices.cache_read_mtok),
        cache_write=_price(prices.cache_write_mtok),
        reasoning=_price(prices.output_reasoning_mtok),
        request_nanos=_fee(prices.requests_kcount),
        cache_write_1h=_price(prices.cache_write_1h_mtok),
        audio_input=_price(prices.input_audio_mtok),
        audio_output=_price(prices.output_audio_mtok),
        search_nanos=_fee(prices.web_searches_kcount),
    )


def _fee(thousand: Decimal | source.TieredPrices | None) -> int:
    """Return the nano-dollars of one call, of which the package prices a thousand."""
    return nanos_of(thousand) // _THOUSAND if isinstance(thousand, Decimal) else 0


def _price(price: Decimal | source.TieredPrices | None) -> Price | None:
    if price is None:
        return None
    if isinstance(price, Decimal):
        return Price(nanos_of(price))
    return Price(nanos_of(price.base), tuple((tier.start, nanos_of(tier.price)) for tier in price.tiers))


def _clause(match: Any) -> Clause:
    for op in _TEXT_CLAUSES:
        text = getattr(match, op, None)
        if text is not None:
            return Clause(op, text if op == "regex" else text.lower())
    if isinstance(match, source.ClauseOr):
        return Clause("any", "", tuple(_clause(each) for each in match.or_))
    if isinstance(match, source.ClauseAnd):
        return Clause("all", "", tuple(_clause(each) for each in match.and_))
    raise TypeError(f"unknown clause {match!r}: the package has changed, adapt this module")


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.msgpack.encode(extract(sys.argv[1])))
