"""Turns a connection into what the port to providers wants; one object a revision, so pools stay warm."""

from __future__ import annotations

from application.orchestration.upstream import ProviderSpec, Secret
from domain.orchestration.connection import Connection


class ProviderSpecs:
    """Remembers the spec of each connection for as long as the connection is the present one."""

    def __init__(self, *, allow_private: bool = True) -> None:
        self._allow_private = allow_private
        self._specs: dict[tuple[str, str], tuple[Connection, ProviderSpec]] = {}

    def of(self, tenant: str, connection: Connection) -> ProviderSpec:
        """Return the spec; equal connections of different tenants never share one, nor a connection pool."""
        owner = "" if connection.builtin else tenant
        known = self._specs.get((owner, connection.name))
        if known is not None and known[0] is connection:
            return known[1]
        spec = spec_of(connection, owner, allow_private=self._allow_private)
        self._specs[owner, connection.name] = (connection, spec)
        return spec


def spec_of(connection: Connection, owner: str, *, allow_private: bool) -> ProviderSpec:
    """Return how a connection is reached; `owner` is the tenant, "" for a built-in provider."""
    return ProviderSpec(
        name=f"{owner}/{connection.name}" if owner else connection.name,
        dialect=connection.dialect,
        base_url=connection.base_url,
        credential=Secret(connection.api_key) if connection.api_key else None,
        credential_id=connection.credential_id,
        headers=connection.headers,
        allow_private=allow_private or connection.builtin,
        drain_seconds=connection.drain_seconds,
    )
