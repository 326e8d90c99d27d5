"""One API key: what it may do, until when, and whether it was revoked."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from domain.kernel.aggregate import Aggregate
from domain.kernel.errors import FieldError, Forbidden, InvalidInput, NotFound
from domain.kernel.events import Event
from domain.kernel.names import workspace_id_errors
from domain.tenancy.events import ApiKeyCreated, ApiKeyRevoked
from domain.tenancy.names import label_errors
from domain.tenancy.roles import ROLES, grantable


class KeyGrant(msgspec.Struct, frozen=True, kw_only=True):
    """What a key is to be: its label, roles, workspace and expiry."""

    name: str
    roles: tuple[str, ...]
    workspace_id: str | None = None
    expires_at: datetime | None = None


class ApiKey(Aggregate):
    """The consistency boundary of one key; created once, revoked at most once."""

    KIND: ClassVar[str] = "api-key"

    def initialise(self) -> None:
        """Start as a key that was never made."""
        self.key_id = ""
        self.key_hash = ""
        self.prefix = ""
        self.grant: KeyGrant | None = None
        self.created_at: datetime | None = None
        self.revoked = False

    def apply(self, event: Event) -> None:
        """Fold one event."""
        match event:
            case ApiKeyCreated():
                self.key_id, self.key_hash, self.prefix = event.key_id, event.key_hash, event.prefix
                self.created_at = event.created_at
                self.grant = KeyGrant(
                    name=event.name,
                    roles=event.roles,
                    workspace_id=event.workspace_id,
                    expires_at=event.expires_at,
                )
            case ApiKeyRevoked():
                self.revoked = True
            case _:
                pass

    @property
    def is_admin(self) -> bool:
        """Tell whether the key holds role admin for its whole tenant."""
        return self.grant is not None and administers(self.grant)

    def create(self, key_id: str, key_hash: str, prefix: str, grant: KeyGrant, at: datetime) -> None:
        """Make the key. Raises InvalidInput that names each unusable field."""
        errors = grant_errors(grant, at)
        if errors:
            raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}", errors)
        self.record(
            ApiKeyCreated(
                key_id=key_id,
                key_hash=key_hash,
                prefix=prefix,
                name=grant.name,
                roles=grant.roles,
                created_at=at,
                workspace_id=grant.workspace_id,
                expires_at=grant.expires_at,
            ),
            at,
        )

    def revoke(self, at: datetime, reason: str = "") -> None:
        """Stop the key for good; no change when it was revoked before. Raises NotFound for an unknown key."""
        if not self.exists:
            raise NotFound("there is no such key; GET /keys lists the tenant's keys")
        if not self.revoked:
            self.record(ApiKeyRevoked(key_id=self.key_id, reason=reason), at)


def administers(grant: KeyGrant) -> bool:
    """Tell whether a key of this grant can administer its whole tenant."""
    return "admin" in grant.roles and grant.workspace_id is None


def grant_errors(grant: KeyGrant, at: datetime) -> list[FieldError]:
    """Return every unusable field of a grant."""
    errors = label_errors(grant.name, "/name")
    if not grant.roles:
        errors.append(FieldError("/roles", f"give at least one of {', '.join(ROLES)}"))
    for index, role in enumerate(grant.roles):
        if role not in ROLES:
            errors.append(FieldError(f"/roles/{index}", f"'{role}' is not one of {', '.join(ROLES)}"))
        elif role in grant.roles[:index]:
            errors.append(FieldError(f"/roles/{index}", f"'{role}' is given twice; leave one off"))
    if grant.workspace_id is not None:
        errors += workspace_id_errors(grant.workspace_id)
    if grant.expires_at is not None:
        errors += _expiry_errors(grant.expires_at, at)
    return errors


def check_grantable(grant: KeyGrant, held: frozenset[str], workspace: str | None) -> None:
    """Raise Forbidden when a holder of roles, bound to a workspace or not, may not hand on this grant."""
    excess = sorted(set(grant.roles) - grantable(held))
    if excess:
        raise Forbidden(
            f"a key with the roles {', '.join(sorted(held)) or 'none'} cannot grant {', '.join(excess)}"
        )
    if workspace is not None and grant.workspace_id != workspace:
        raise Forbidden(
            f"this key is bound to workspace '{workspace}' and can only create keys with "
            f'"workspace_id": "{workspace}"'
        )


def _expiry_errors(expires_at: datetime, at: datetime) -> list[FieldError]:
    if expires_at.tzinfo is None:
        return [FieldError("/expires_at", "give a time with its zone, as in 2030-01-31T00:00:00Z")]
    if expires_at <= at:
        return [FieldError("/expires_at", "lies in the past; give a later time, or leave it off")]
    return []
