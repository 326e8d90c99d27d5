"""What usage's commands answer."""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.usage.price_events import ContractPriceSet
from domain.usage.pricing import UnitPrices
from domain.usage.quota import QuotaLimits, Scope


class QuotaSetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a scope as they are now; a user's scope is known by its pseudonym."""

    scope: Scope
    version: int
    limits: QuotaLimits


class ContractPriceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A model's contract price as it is now; prices are nano-dollars for a million tokens."""

    provider: str
    model: str
    number: int
    set_at: datetime
    effective_from: datetime
    prices: UnitPrices
    reason: str

    @classmethod
    def of(cls, event: ContractPriceSet) -> ContractPriceAnswer:
        """Return what a contract says."""
        return msgspec.convert(event, cls, from_attributes=True)


class ContractPriceGone(msgspec.Struct, frozen=True, kw_only=True):
    """The model whose contract price has ended."""

    provider: str
    model: str
