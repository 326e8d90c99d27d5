"""A custom provider: where it is, how it is spoken to, and the credential it is called with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

import msgspec

from domain.kernel.aggregate import Aggregate
from domain.kernel.errors import InvalidInput, NotFound
from domain.kernel.events import Event
from domain.kernel.personal import Erased
from domain.orchestration.events import ProviderRegistered, ProviderRemoved
from domain.orchestration.provider_check import check_provider
from domain.orchestration.provider_spec import Dialect, ModelSpec


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The open part of a provider: everything but its credential. `base_url` is normalised already."""

    name: str
    dialect: Dialect
    base_url: str
    models: tuple[ModelSpec, ...] = ()
    drain_seconds: float = 0.0
    allow_probe: bool = False


class Provider(Aggregate):
    """The consistency boundary of one custom provider; it can come back after it was removed.

    It declares no state for snapshots: what an erased credential leaves behind must be nothing.
    """

    KIND: ClassVar[str] = "provider"

    def initialise(self) -> None:
        """Start unregistered."""
        self.revision = 0
        self.active: ProviderRegistered | None = None

    def apply(self, event: Event) -> None:
        """Fold one event."""
        match event:
            case ProviderRegistered():
                self.revision, self.active = event.revision, event
            case ProviderRemoved():
                self.active = None
            case _:
                pass

    def register(
        self,
        endpoint: Endpoint,
        at: datetime,
        *,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ProviderRegistered:
        """Add the provider or replace it as a whole; return the registration.

        An `api_key` or `headers` of None keeps what the present registration has, which needs the same
        address; empty ones remove it. Raises InvalidInput that names every unusable field.
        """
        check_provider(endpoint.name, endpoint.models, api_key, headers, endpoint.drain_seconds)
        key = self._kept_key(endpoint) if api_key is None else api_key
        sent = self._kept_headers(endpoint) if headers is None else tuple(sorted(headers.items()))
        revision = self.revision + 1
        registered = ProviderRegistered(
            name=endpoint.name,
            revision=revision,
            registered_at=at,
            dialect=endpoint.dialect,
            base_url=endpoint.base_url,
            models=endpoint.models,
            header_names=tuple(name for name, _ in sent),
            drain_seconds=endpoint.drain_seconds,
            allow_probe=endpoint.allow_probe,
            credential_id=f"provider/{endpoint.name}@{revision}" if key or sent else None,
            retired=self._retired(),
            api_key=key or None,
            headers=sent or None,
        )
        self.record(registered, at)
        return registered

    def remove(self, name: str, at: datetime) -> None:
        """Take the provider out of use. Raises NotFound when there is none of this name."""
        if self.active is None:
            raise NotFound(f"there is no provider '{name}'; GET /providers lists them")
        self.record(ProviderRemoved(name=name, retired=self._retired()), at)

    def _kept_key(self, endpoint: Endpoint) -> str:
        before = self.active.api_key if self.active else None
        if before is None or isinstance(before, Erased):
            return ""
        self._check_same_address(endpoint, "/api_key", '""')
        return before

    def _kept_headers(self, endpoint: Endpoint) -> tuple[tuple[str, str], ...]:
        before = self.active.headers if self.active else None
        if before is None or isinstance(before, Erased):
            return ()
        self._check_same_address(endpoint, "/headers", "{}")
        return before

    def _check_same_address(self, endpoint: Endpoint, pointer: str, empty: str) -> None:
        """A kept secret must not follow a changed address, which may be somebody else's."""
        if self.active is None or self.active.base_url != endpoint.base_url:
            raise InvalidInput.at(
                pointer, f"the address changes: give {pointer[1:]} again for the new one, or {empty} for none"
            )

    def _retired(self) -> tuple[str, ...]:
        credential = self.active.credential_id if self.active else None
        return (credential,) if credential else ()
