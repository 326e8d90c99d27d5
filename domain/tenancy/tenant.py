"""A tenant, and the roster of its administrators' keys, so that it is never locked out of itself."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.kernel.aggregate import Aggregate
from domain.kernel.errors import Conflict, FieldError, InvalidInput, NameTaken
from domain.kernel.events import Event
from domain.kernel.names import tenant_id_errors
from domain.tenancy.events import TenantAdminAdded, TenantAdminRemoved, TenantCreated
from domain.tenancy.names import label_errors


class Tenant(Aggregate):
    """The consistency boundary of a tenant's existence and of its administrators."""

    KIND: ClassVar[str] = "tenant"

    tenant_id: str
    name: str
    created_at: datetime | None
    admins: dict[str, datetime | None]
    bootstrap_key_id: str | None

    def initialise(self) -> None:
        """Start unnamed and without administrators."""
        self.tenant_id = ""
        self.name = ""
        self.created_at = None
        self.admins = {}
        self.bootstrap_key_id = None

    def apply(self, event: Event) -> None:
        """Fold one event."""
        match event:
            case TenantCreated():
                self.tenant_id, self.name = event.tenant_id, event.name
                self.created_at = event.created_at
            case TenantAdminAdded():
                self.admins[event.key_id] = event.expires_at
                if event.bootstrap:
                    self.bootstrap_key_id = event.key_id
            case TenantAdminRemoved():
                self.admins.pop(event.key_id, None)
            case _:
                pass

    def create(self, tenant_id: str, name: str, at: datetime) -> None:
        """Found the tenant. Raises InvalidInput, or NameTaken when it exists."""
        errors: list[FieldError] = [*tenant_id_errors(tenant_id), *label_errors(name, "/name")]
        if errors:
            raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}", errors)
        if self.exists:
            raise NameTaken("tenant", tenant_id)
        self.record(TenantCreated(tenant_id=tenant_id, name=name, created_at=at), at)

    def add_admin(
        self, key_id: str, at: datetime, *, expires_at: datetime | None = None, bootstrap: bool = False
    ) -> None:
        """Put a key with role admin on the roster."""
        self.record(TenantAdminAdded(key_id=key_id, expires_at=expires_at, bootstrap=bootstrap), at)

    def remove_admin(self, key_id: str, at: datetime) -> None:
        """Take a key off the roster; no change when it is not on it.

        Raises Conflict when no key with role admin would be left that works at `at`.
        """
        if key_id not in self.admins:
            return
        if not any(works(expiry, at) for other, expiry in self.admins.items() if other != key_id):
            raise Conflict(
                f"key '{key_id}' is the last key with role admin of tenant '{self.tenant_id}' that works; "
                "create another one first, then revoke this one"
            )
        self.record(TenantAdminRemoved(key_id=key_id), at)


def works(expires_at: datetime | None, at: datetime) -> bool:
    """Tell whether a key with this expiry is still good at an instant."""
    return expires_at is None or at < expires_at
