"""Prices one attempt: by contract, else by what the tenant said of its provider, else by the price book."""

from __future__ import annotations

from datetime import datetime

from application.usage.ports import Contracts, ListedPrices, PriceBook, Seller
from domain.usage.pricing import Price, UnitPrices, nanos_of

EMBEDDED = "local"
MOST_KNOWN = 10_000
_FREE = UnitPrices(version=EMBEDDED)


class Pricer:
    """Finds the prices that hold; in memory, for the gateway's hot path."""

    def __init__(self, book: PriceBook, contracts: Contracts | None = None) -> None:
        self._book = book
        self._contracts = contracts
        self._listed: dict[tuple[str, str, str], tuple[Seller, UnitPrices | None]] = {}

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
        own = self._own(tenant, seller, model)
        return own or self._book.find(seller.name, seller.base_url, model, at)

    def _own(self, tenant: str, seller: Seller, model: str) -> UnitPrices | None:
        """Return what the tenant itself said of a provider's model, worked out once for each revision."""
        key = (tenant, seller.name, model)
        known = self._listed.get(key)
        if known is None or known[0] is not seller:
            listed = seller.prices(model)
            known = seller, None if listed is None else _own(listed, f"{seller.name}@{seller.revision}")
            if len(self._listed) >= MOST_KNOWN:
                self._listed.clear()
            self._listed[key] = known
        return known[1]


def _own(listed: ListedPrices, version: str) -> UnitPrices:
    cached, written = listed.cached_input_per_mtok_usd, listed.cache_write_per_mtok_usd
    return UnitPrices(
        version=version,
        input=Price(nanos_of(listed.input_per_mtok_usd)),
        output=Price(nanos_of(listed.output_per_mtok_usd)),
        cached_input=None if cached is None else Price(nanos_of(cached)),
        cache_write=None if written is None else Price(nanos_of(written)),
    )
