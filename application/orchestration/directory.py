"""What the gateway looks up for each request, all of it in memory: policy, catalogue, providers."""

from __future__ import annotations

from collections.abc import Callable

from application.orchestration.ports import Policies, Providers
from application.orchestration.specs import ProviderSpecs
from application.orchestration.upstream import ProviderSpec
from domain.kernel.errors import Unavailable
from domain.orchestration.catalogue import Catalogue
from domain.orchestration.policy import ActivePolicy
from domain.orchestration.routing import Measures


class LiveDirectory:
    """Joins the live directories of policies and providers with what was measured."""

    def __init__(
        self,
        policies: Policies,
        providers: Providers,
        specs: ProviderSpecs,
        measures: Callable[[str], Measures],
    ) -> None:
        self._policies = policies
        self._providers = providers
        self._specs = specs
        self._measures = measures

    def policy(self, tenant: str, workspace: str) -> ActivePolicy | None:
        """Return the policy in force, None when none was ever set."""
        return self._policies.active(tenant, workspace)

    def catalogue(self, tenant: str) -> Catalogue:
        """Return what the tenant can ask for."""
        return self._providers.catalogue(tenant)

    def provider(self, tenant: str, name: str) -> ProviderSpec:
        """Return how to reach a provider. Raises Unavailable for one that was removed a moment ago."""
        connection = self._providers.connection(tenant, name)
        if connection is None:
            raise Unavailable(f"provider {name}", f"provider '{name}' was removed; ask again")
        return self._specs.of(tenant, connection)

    def measures(self, tenant: str) -> Measures:
        """Return what is known of the tenant's targets."""
        return self._measures(tenant)
