"""What a client may ask of tenancy."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from application.bus import Command
from domain.kernel.names import TENANT_ID, WORKSPACE_ID
from domain.tenancy.names import LONGEST_LABEL
from domain.tenancy.roles import Role
from domain.tenancy.secrets import LONGEST_KEY, SHORTEST_OPERATOR_KEY

TenantId = Annotated[
    str, Meta(pattern=TENANT_ID, description="1 to 63 lower-case letters, digits or '-'", examples=["acme"])
]
WorkspaceId = Annotated[
    str, Meta(pattern=WORKSPACE_ID, description="1 to 63 letters, digits, '.', '_' or '-'")
]
Label = Annotated[str, Meta(min_length=1, max_length=LONGEST_LABEL, description="What people call it")]


class CreateTenant(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Found a tenant (role platform); answers TenantFounded with the tenant's first admin key, shown once."""

    tenant_id: TenantId
    name: Label


class CreateKey(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make an API key (roles admin, platform); answers KeyMade with the key, shown once.

    `tenant_id` names another tenant and needs role platform. A key bound to a workspace can only make keys
    of the same workspace. Nobody can grant more than what `domain.tenancy.roles.grantable` says.
    """

    name: Label
    roles: Annotated[tuple[Role, ...], Meta(min_length=1, max_length=5)]
    workspace_id: WorkspaceId | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    tenant_id: TenantId | None = None


class RevokeKey(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stop a key at once on every process (roles admin, platform); answers KeyView. Repeating it is harmless.

    Refused with Conflict for the last key with role admin that works.
    """

    key_id: Annotated[str, Meta(min_length=1, max_length=64)]
    reason: Annotated[str, Meta(max_length=500)] = ""
    tenant_id: TenantId | None = None


class BootstrapAdminKey(Command, frozen=True, kw_only=True):
    """Register the operator's AIOS_ADMIN_KEY for tenant `default`, roles admin and platform, at every start.

    Idempotent: the same value changes nothing (and stays revoked when it was revoked), another value
    replaces the one before. Only the hash ever leaves the handler. Send it with a new command id each start.
    """

    key: Annotated[str, Meta(min_length=SHORTEST_OPERATOR_KEY, max_length=LONGEST_KEY)]

    def __repr__(self) -> str:
        return "BootstrapAdminKey(***)"
