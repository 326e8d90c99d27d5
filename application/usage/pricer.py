"""Prices one attempt: by the tenant's own prices, else by the price book, else not at all."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from application.usage.ports import ListedPrices, PriceBook, Seller
from domain.kernel.request_record import TokenCounts
from domain.usage.pricing import Price, UnitPrices, blended_rate, cost_micros, nanos_of

EMBEDDED = "local"
_FREE = UnitPrices(version=EMBEDDED)


class Pricer:
    """Turns usage into money; in memory, for the gateway's hot path."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book

    def cost(
        self, seller: Seller, model: str, usage: TokenCounts, at: datetime
    ) -> tuple[int | None, str | None]:
        """Return (micro-dollars, price version), (None, None) when no price is known: never a guessed 0."""
        prices = self.prices(seller, model, at)
        return (None, None) if prices is None else (cost_micros(usage, prices), prices.version)

    def rate(self, seller: Seller, model: str, at: datetime) -> float | None:
        """Return what a model costs in comparison with others, None when no price is known."""
        prices = self.prices(seller, model, at)
        return None if prices is None else blended_rate(prices)

    def prices(self, seller: Seller, model: str, at: datetime) -> UnitPrices | None:
        """Return a model's prices at a time; the embedded model costs nothing."""
        if seller.name == EMBEDDED:
            return _FREE
        listed = seller.prices(model)
        if listed is not None:
            return _own(listed, f"{seller.name}@{seller.revision}")
        return self._book.find(seller.name, seller.base_url, model, at)


@lru_cache(maxsize=4096)
def _own(listed: ListedPrices, version: str) -> UnitPrices:
    cached, written = listed.cached_input_per_mtok_usd, listed.cache_write_per_mtok_usd
    return UnitPrices(
        version=version,
        input=Price(nanos_of(listed.input_per_mtok_usd)),
        output=Price(nanos_of(listed.output_per_mtok_usd)),
        cached_input=None if cached is None else Price(nanos_of(cached)),
        cache_write=None if written is None else Price(nanos_of(written)),
    )
