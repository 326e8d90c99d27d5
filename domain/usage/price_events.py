"""What happens to prices: editions of the price book, and a tenant's contract prices."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.kernel.events import Event
from domain.usage.pricing import UnitPrices


class PriceBookImported(Event, frozen=True, kw_only=True):
    """An edition of the public price book is in use from now on; editions are never changed.

    `edition` stands as the price version in what it priced. `source_hash` is the SHA-256 of the package's
    data, `content_hash` that of the extracted edition, which `content` holds compressed (zlib).
    """

    TYPE: ClassVar[str] = "usage.price_book_imported"

    edition: str
    package: str
    package_version: str
    source_hash: str
    content_hash: str
    providers: int
    models: int
    imported_at: datetime
    content: bytes

    def __repr__(self) -> str:
        return f"PriceBookImported({self.edition})"


class ContractPriceSet(Event, frozen=True, kw_only=True):
    """A tenant's own price of a model, before any other, for requests from `effective_from` on.

    Numbers count from 1 for each model; `contract@<number>` is the price version of what it priced.
    """

    TYPE: ClassVar[str] = "usage.contract_price_set"

    provider: str
    model: str
    number: int
    set_at: datetime
    effective_from: datetime
    prices: UnitPrices
    reason: str = ""


class ContractPriceEnded(Event, frozen=True, kw_only=True):
    """Requests that start at `ended_at` or later cost what they would without a contract."""

    TYPE: ClassVar[str] = "usage.contract_price_ended"

    provider: str
    model: str
    number: int
    ended_at: datetime
    reason: str = ""


EVENTS: tuple[type[Event], ...] = (PriceBookImported, ContractPriceSet, ContractPriceEnded)
