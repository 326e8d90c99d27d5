"""Folds tenants and keys into the lists that administrators see."""

from __future__ import annotations

from collections.abc import Iterable

from domain.kernel.events import Envelope
from domain.tenancy.events import ApiKeyCreated, ApiKeyRevoked, TenantCreated
from projections.ops import Insert, RowOp, Update
from projections.projection import Projection
from projections.tenancy.tables import api_keys, tenants


def tenant_created(envelope: Envelope[TenantCreated]) -> Iterable[RowOp]:
    """List the tenant."""
    event = envelope.event
    yield Insert(
        tenants,
        {
            "tenant_id": event.tenant_id,
            "name": event.name,
            "created_at": event.created_at,
            "created_by": envelope.actor,
        },
    )


def api_key_created(envelope: Envelope[ApiKeyCreated]) -> Iterable[RowOp]:
    """List the key, without its hash."""
    event = envelope.event
    yield Insert(
        api_keys,
        {
            "tenant": envelope.tenant,
            "key_id": event.key_id,
            "name": event.name,
            "prefix": event.prefix,
            "roles": list(event.roles),
            "workspace_id": event.workspace_id,
            "created_at": event.created_at,
            "created_by": envelope.actor,
            "expires_at": event.expires_at,
        },
    )


def api_key_revoked(envelope: Envelope[ApiKeyRevoked]) -> Iterable[RowOp]:
    """Mark the key."""
    yield Update(
        api_keys,
        {"tenant": envelope.tenant, "key_id": envelope.event.key_id},
        {"revoked_at": envelope.recorded_at, "revoked_by": envelope.actor},
    )


TENANCY = Projection(
    name="tenancy",
    version=1,
    tables=(tenants, api_keys),
    handlers={
        TenantCreated: tenant_created,
        ApiKeyCreated: api_key_created,
        ApiKeyRevoked: api_key_revoked,
    },
)
