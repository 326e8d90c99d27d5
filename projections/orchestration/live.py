"""Policies and providers in memory: the gateway decides from here, without a look at the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from domain.kernel.events import Envelope
from domain.kernel.personal import Erased
from domain.orchestration.catalogue import Catalogue
from domain.orchestration.connection import Connection
from domain.orchestration.events import ModelPolicySet, ProviderRegistered, ProviderRemoved
from domain.orchestration.policy import ActivePolicy

TYPES: tuple[str, ...] = (ModelPolicySet.TYPE, ProviderRegistered.TYPE, ProviderRemoved.TYPE)


class PolicyDirectory:
    """Folds policy events; answers which policy is in force."""

    def __init__(self) -> None:
        self._active: dict[tuple[str, str], ActivePolicy] = {}

    def apply(self, envelope: Envelope[Any]) -> None:
        """Fold one event; events of other types change nothing."""
        event = envelope.event
        if isinstance(event, ModelPolicySet):
            self._active[envelope.tenant, event.workspace_id] = ActivePolicy(
                workspace_id=event.workspace_id,
                version=event.version,
                set_by=envelope.actor,
                set_at=event.set_at,
                policy=event.policy,
            )

    def active(self, tenant: str, workspace: str) -> ActivePolicy | None:
        """Return the policy in force in a workspace, None when none was ever set."""
        return self._active.get((tenant, workspace))

    def everywhere(self) -> list[tuple[str, ActivePolicy]]:
        """Return the policies in force of all tenants, each with its tenant."""
        return [(tenant, active) for (tenant, _), active in self._active.items()]


class ProviderDirectory:
    """Folds provider events over the built-in providers; answers how a tenant's providers are reached.

    `missing` names built-in providers that are not set up, each with its cure.
    """

    def __init__(self, builtin: Iterable[Connection], missing: Mapping[str, str] | None = None) -> None:
        self._builtin = {connection.name: connection for connection in builtin}
        self._missing = dict(missing or {})
        self._custom: dict[str, dict[str, Connection]] = {}
        self._catalogues: dict[str, Catalogue] = {}
        self._plain = Catalogue((each.offer for each in self._builtin.values()), self._missing)

    def apply(self, envelope: Envelope[Any]) -> None:
        """Fold one event; events of other types change nothing."""
        event = envelope.event
        if not isinstance(event, ProviderRegistered | ProviderRemoved):
            return
        custom = self._custom.setdefault(envelope.tenant, {})
        if isinstance(event, ProviderRegistered):
            custom[event.name] = _connection(event, envelope.actor)
        else:
            custom.pop(event.name, None)
        everyone = [*custom.values(), *self._builtin.values()]
        self._catalogues[envelope.tenant] = Catalogue((each.offer for each in everyone), self._missing)

    def catalogue(self, tenant: str) -> Catalogue:
        """Return what a tenant can ask for; the same object until one of its providers changes."""
        return self._catalogues.get(tenant, self._plain)

    def connection(self, tenant: str, provider: str) -> Connection | None:
        """Return how a tenant reaches a provider; the same object until it changes, None when it has none."""
        custom = self._custom.get(tenant)
        if custom is not None and provider in custom:
            return custom[provider]
        return self._builtin.get(provider)

    def connections(self, tenant: str) -> tuple[Connection, ...]:
        """Return all providers of a tenant, the built-in ones first, then by name."""
        custom = self._custom.get(tenant, {})
        return (*self._builtin.values(), *(custom[name] for name in sorted(custom)))


def _connection(event: ProviderRegistered, actor: str) -> Connection:
    """Return the connection of a registration; an erased credential counts as none."""
    return Connection(
        name=event.name,
        dialect=event.dialect,
        base_url=event.base_url,
        revision=event.revision,
        models=event.models,
        credential_id=event.credential_id or "",
        api_key=None if isinstance(event.api_key, Erased) else event.api_key,
        headers={} if isinstance(event.headers, Erased) else dict(event.headers or ()),
        drain_seconds=event.drain_seconds,
        allow_probe=event.allow_probe,
        registered_at=event.registered_at,
        registered_by=actor,
    )
