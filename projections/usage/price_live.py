"""Contract prices in memory: what a tenant pays for a model at a time, without a look at the database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from domain.kernel.events import Envelope
from domain.usage.price_events import ContractPriceEnded, ContractPriceSet
from domain.usage.pricing import UnitPrices

TYPES: tuple[str, ...] = (ContractPriceSet.TYPE, ContractPriceEnded.TYPE)
_Step = tuple[datetime, UnitPrices | None]


class ContractPrices:
    """Folds contract events; a tenant without contracts costs one look into a dictionary."""

    def __init__(self) -> None:
        self._steps: dict[str, dict[tuple[str, str], list[_Step]]] = {}

    def apply(self, envelope: Envelope[Any]) -> None:
        """Fold one event; events of other types change nothing."""
        event = envelope.event
        if isinstance(event, ContractPriceSet):
            step: _Step = (event.effective_from, event.prices)
        elif isinstance(event, ContractPriceEnded):
            step = (event.ended_at, None)
        else:
            return
        steps = self._steps.setdefault(envelope.tenant, {}).setdefault((event.provider, event.model), [])
        steps[:] = [each for each in steps if each[0] < step[0]]
        steps.append(step)

    def find(self, tenant: str, provider: str, model: str, at: datetime) -> UnitPrices | None:
        """Return what a request that starts at a time costs by contract, None without one."""
        contracts = self._steps.get(tenant)
        if contracts is None:
            return None
        for since, prices in reversed(contracts.get((provider, model), ())):
            if since <= at:
                return prices
        return None
