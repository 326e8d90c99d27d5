"""Prices one attempt: by contract, else by what the tenant said of its provider, else by the price book."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from application.usage.ports import Contracts, ListedPrices, PriceBook, Seller
from domain.usage.pricing import Price, UnitPrices, nanos_of

EMBEDDED = "local"
_FREE = UnitPrices(version=EMBEDDED)


class Pricer:
    """Finds the prices that hold; in memory, for the gateway's hot path."""

    def __init__(self, book: PriceBook, contracts: Contracts | None = None) -> None:
        self._book = book
        self._contracts = contracts

    def prices(self, tenant: str, seller: Seller, model: str, at: datetime) -> UnitPrices | None:
        """Return what a tenant pays for a model at a time, None when no price is known: never a guessed 0.

        The embedded model costs nothing without a contract.
        """
        if self._contracts is not None:
            contract = self._contracts.find(tenant, seller.name, model, at)
            if contract is not None:
                return contract
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
