"""Prices what orchestration routes: joins the tenant's providers with usage's prices."""

from __future__ import annotations

from datetime import datetime

from application.orchestration.ports import Providers
from application.processes.gateway.call import Priced
from application.usage.pricer import Pricer
from domain.kernel.request_record import TokenCounts
from domain.orchestration.catalogue import Target
from domain.orchestration.routing import Scores
from domain.usage.pricing import cost_bound_micros

UNPRICED = "unpriced"


class TenantPrices:
    """Costs of attempts, and what targets cost in comparison, for each tenant's providers."""

    def __init__(self, providers: Providers, pricer: Pricer) -> None:
        self._providers = providers
        self._pricer = pricer

    def cost(self, tenant: str, target: Target, usage: TokenCounts, at: datetime) -> Priced:
        """Return what an attempt cost; None with version `unpriced` when no price is known. Never raises."""
        connection = self._providers.connection(tenant, target.provider)
        if connection is None:
            return Priced(None, UNPRICED)
        cost, version = self._pricer.cost(connection, target.model, usage, at)
        return Priced(cost, version or UNPRICED)

    def bound(self, tenant: str, target: Target, input_tokens: int, output_tokens: int, at: datetime) -> int:
        """Return the most that an attempt can cost; 0 when no price is known, for then it has no cost."""
        connection = self._providers.connection(tenant, target.provider)
        prices = None if connection is None else self._pricer.prices(connection, target.model, at)
        return 0 if prices is None else cost_bound_micros(input_tokens, output_tokens, prices)

    def rates(self, tenant: str, at: datetime) -> Scores:
        """Return the cost of targets by `provider/model`, each worked out when it is asked for."""
        return _Rates(self._providers, self._pricer, tenant, at)


class _Rates:
    """Looks a target's rate up on demand."""

    def __init__(self, providers: Providers, pricer: Pricer, tenant: str, at: datetime) -> None:
        self._providers = providers
        self._pricer = pricer
        self._tenant = tenant
        self._at = at

    def get(self, target: str, default: float, /) -> float:
        """Return the rate of `provider/model`, `default` when no price is known."""
        provider, _, model = target.partition("/")
        connection = self._providers.connection(self._tenant, provider)
        rate = None if connection is None else self._pricer.rate(connection, model, self._at)
        return default if rate is None else rate
