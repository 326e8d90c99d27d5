"""What orchestration needs from the outside world and from other contexts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from domain.orchestration.catalogue import Catalogue
from domain.orchestration.connection import Connection
from domain.orchestration.policy import ActivePolicy
from domain.orchestration.provider_spec import Dialect


class Policies(Protocol):
    """The policies in force, from memory; as fresh as the last event this process applied."""

    def active(self, tenant: str, workspace: str) -> ActivePolicy | None: ...


class Providers(Protocol):
    """The providers in use, from memory; as fresh as the last event this process applied."""

    def catalogue(self, tenant: str) -> Catalogue: ...

    def connection(self, tenant: str, provider: str) -> Connection | None: ...


class NormaliseBaseUrl(Protocol):
    """Checks a provider's address against the egress rules.

    Returns its one spelling, without trailing slash; raises InvalidInput at `/base_url`.
    """

    def __call__(self, base_url: str, *, dialect: Dialect) -> str: ...


@dataclass(frozen=True)
class OrchestrationPorts:
    """What orchestration's handlers get beside the unit of work."""

    providers: Providers
    normalise_base_url: NormaliseBaseUrl
