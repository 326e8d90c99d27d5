"""What happens to tenants and their API keys; an event of a tenant lies in that tenant's own column."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.kernel.events import Event


class TenantCreated(Event, frozen=True, kw_only=True):
    """A tenant was founded."""

    TYPE: ClassVar[str] = "tenancy.tenant_created"

    tenant_id: str
    name: str
    created_at: datetime


class TenantAdminAdded(Event, frozen=True, kw_only=True):
    """A key with role admin joined the tenant's roster; `bootstrap` marks the operator's own key."""

    TYPE: ClassVar[str] = "tenancy.tenant_admin_added"

    key_id: str
    expires_at: datetime | None = None
    bootstrap: bool = False


class TenantAdminRemoved(Event, frozen=True, kw_only=True):
    """A key with role admin left the tenant's roster."""

    TYPE: ClassVar[str] = "tenancy.tenant_admin_removed"

    key_id: str


class ApiKeyCreated(Event, frozen=True, kw_only=True):
    """A key was made; only its SHA-256 and the part that may be shown are kept."""

    TYPE: ClassVar[str] = "tenancy.api_key_created"

    key_id: str
    key_hash: str
    prefix: str
    name: str
    roles: tuple[str, ...]
    created_at: datetime
    workspace_id: str | None = None
    expires_at: datetime | None = None


class ApiKeyRevoked(Event, frozen=True, kw_only=True):
    """A key stopped working, for good."""

    TYPE: ClassVar[str] = "tenancy.api_key_revoked"

    key_id: str
    reason: str = ""


EVENTS: tuple[type[Event], ...] = (
    TenantCreated,
    TenantAdminAdded,
    TenantAdminRemoved,
    ApiKeyCreated,
    ApiKeyRevoked,
)
