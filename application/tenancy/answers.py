"""What tenancy's commands answer; a plain key stands in an answer once and never in a log."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec


class TenantFounded(msgspec.Struct, frozen=True, kw_only=True):
    """A new tenant and its first admin key."""

    tenant_id: str
    name: str
    created_at: datetime
    key_id: str
    admin_key: str

    def __repr__(self) -> str:
        return f"TenantFounded({self.tenant_id}, key {self.key_id})"


class KeyMade(msgspec.Struct, frozen=True, kw_only=True):
    """A new key with its plain text."""

    key_id: str
    tenant_id: str
    name: str
    prefix: str
    roles: tuple[str, ...]
    workspace_id: str | None
    created_at: datetime
    expires_at: datetime | None
    key: str

    def __repr__(self) -> str:
        return f"KeyMade({self.key_id})"


class KeyStopped(msgspec.Struct, frozen=True, kw_only=True):
    """A key that no longer works."""

    key_id: str
    tenant_id: str
    status: Literal["revoked"] = "revoked"


class AdminKeyRegistered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of AIOS_ADMIN_KEY; `revoked`: this value was revoked through the API, set another one."""

    key_id: str
    status: Literal["created", "replaced", "unchanged", "revoked"]
