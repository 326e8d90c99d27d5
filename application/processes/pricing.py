"""Prices what orchestration routes: joins the tenant's providers with usage's prices."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from application.orchestration.ports import Providers
from application.processes.gateway.call import Priced
from application.usage.pricer import Pricer
from domain.kernel.request_record import TokenCounts
from domain.orchestration.catalogue import Target
from domain.orchestration.routing import Scores
from domain.usage.pricing import UnitPrices, blended_rate, cost_bound_micros, cost_micros

UNPRICED = "unpriced"


class _NotSetUp(NamedTuple):
    """A provider that is known by name alone: contracts and the book may still tell its prices."""

    name: str
    base_url: str = ""
    revision: int = 0

    def prices(self, _model: str) -> None:
        """Return None: it lists no prices."""


class TenantPrices:
    """Costs of attempts, and what targets cost in comparison, for each tenant's providers."""

    def __init__(self, providers: Providers, pricer: Pricer) -> None:
        self._providers = providers
        self._pricer = pricer

    def prices(self, tenant: str, target: Target, at: datetime) -> UnitPrices | None:
        """Return what a tenant pays for a target at a time, None when no price is known."""
        seller = self._providers.connection(tenant, target.provider) or _NotSetUp(target.provider)
        return self._pricer.prices(tenant, seller, target.model, at)

    def cost(self, tenant: str, target: Target, usage: TokenCounts, at: datetime) -> Priced:
        """Return what an attempt cost; None with version `unpriced` when no price is known. Never raises."""
        prices = self.prices(tenant, target, at)
        return (
            Priced(None, UNPRICED) if prices is None else Priced(cost_micros(usage, prices), prices.version)
        )

    def bound(self, tenant: str, target: Target, input_tokens: int, output_tokens: int, at: datetime) -> int:
        """Return the most that an attempt can cost; 0 when no price is known, for then it has no cost."""
        prices = self.prices(tenant, target, at)
        return 0 if prices is None else cost_bound_micros(input_tokens, output_tokens, prices)

    def rates(self, tenant: str, at: datetime) -> Scores:
        """Return the cost of targets by `provider/model`, each worked out when it is asked for."""
        return _Rates(self, tenant, at)


class _Rates:
    """Looks a target's rate up on demand."""

    def __init__(self, prices: TenantPrices, tenant: str, at: datetime) -> None:
        self._prices = prices
        self._tenant = tenant
        self._at = at

    def get(self, target: str, default: float, /) -> float:
        """Return the rate of `provider/model`, `default` when no price is known."""
        provider, _, model = target.partition("/")
        prices = self._prices.prices(self._tenant, Target(provider, model), self._at)
        return default if prices is None else blended_rate(prices)
