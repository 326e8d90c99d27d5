"""Tenancy's use cases: load, decide, save."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from application.bus import Caller, Command, Work
from application.tenancy.answers import AdminKeyRegistered, KeyMade, KeyStopped, TenantFounded
from application.tenancy.commands import BootstrapAdminKey, CreateKey, CreateTenant, RevokeKey
from application.tenancy.ports import TenancyPorts
from domain.kernel.errors import Forbidden, IdempotencyMismatch, InvalidInput, NotFound
from domain.kernel.names import DEFAULT_TENANT
from domain.tenancy.api_key import ApiKey, KeyGrant, administers, check_grantable
from domain.tenancy.secrets import LONGEST_KEY, SHORTEST_OPERATOR_KEY, bootstrap_key_id, hash_of, plain_key
from domain.tenancy.tenant import Tenant

FIRST_KEY = KeyGrant(name="First administrator", roles=("admin",))
OPERATOR_KEY = KeyGrant(name="AIOS_ADMIN_KEY", roles=("admin", "platform"))


async def create_tenant(command: CreateTenant, work: Work, ports: TenancyPorts) -> TenantFounded:
    """Found a tenant with its first admin key. Raises Forbidden, InvalidInput, NameTaken."""
    work.caller.require("platform")
    fresh = plain_key(ports.secrets.seed("tenant", work.caller.tenant, work.caller.command_id))
    tenant = await work.load(Tenant, command.tenant_id, tenant=command.tenant_id)
    key = await work.load(ApiKey, fresh.key_id, tenant=command.tenant_id)
    if not key.exists:
        tenant.create(command.tenant_id, command.name, work.at)
        key.create(fresh.key_id, fresh.key_hash, fresh.prefix, FIRST_KEY, work.at)
        tenant.add_admin(key.key_id, work.at)
        await work.save(tenant, key, tenant=command.tenant_id)
    elif tenant.name != command.name:
        raise IdempotencyMismatch("this command created the tenant under another name")
    return TenantFounded(
        tenant_id=tenant.tenant_id,
        name=tenant.name,
        created_at=tenant.created_at or work.at,
        key_id=key.key_id,
        admin_key=fresh.text,
    )


async def create_key(command: CreateKey, work: Work, ports: TenancyPorts) -> KeyMade:
    """Make a key. Raises Forbidden, InvalidInput, NotFound for an unknown tenant."""
    target = _target(work.caller, command.tenant_id)
    grant = KeyGrant(
        name=command.name,
        roles=command.roles,
        workspace_id=command.workspace_id,
        expires_at=command.expires_at,
    )
    check_grantable(grant, work.caller.roles, work.caller.workspace)
    tenant = await _existing(work, target)
    fresh = plain_key(ports.secrets.seed("key", work.caller.tenant, work.caller.command_id))
    key = await work.load(ApiKey, fresh.key_id, tenant=target)
    if not key.exists:
        key.create(fresh.key_id, fresh.key_hash, fresh.prefix, grant, work.at)
        if administers(grant):
            tenant.add_admin(key.key_id, work.at, expires_at=grant.expires_at)
        await work.save(key, tenant, tenant=target)
    elif key.grant != grant:
        raise IdempotencyMismatch("this command created a key with other settings")
    return KeyMade(
        key_id=key.key_id,
        tenant_id=target,
        name=grant.name,
        prefix=key.prefix,
        roles=grant.roles,
        workspace_id=grant.workspace_id,
        created_at=key.created_at or work.at,
        expires_at=grant.expires_at,
        key=fresh.text,
    )


async def revoke_key(command: RevokeKey, work: Work, _ports: TenancyPorts) -> KeyStopped:
    """Stop a key. Raises Forbidden, NotFound, Conflict for the last administrator."""
    target = _target(work.caller, command.tenant_id)
    tenant = await _existing(work, target)
    key = await work.load(ApiKey, command.key_id, tenant=target)
    own = work.caller.workspace
    if key.grant is None or (own is not None and key.grant.workspace_id != own):
        raise NotFound(f"there is no key '{command.key_id}'; GET /keys lists the keys")
    key.revoke(work.at, command.reason)
    tenant.remove_admin(key.key_id, work.at)
    await work.save(key, tenant, tenant=target)
    return KeyStopped(key_id=key.key_id, tenant_id=target)


async def bootstrap_admin_key(
    command: BootstrapAdminKey, work: Work, _ports: TenancyPorts
) -> AdminKeyRegistered:
    """Register the operator's key. Raises InvalidInput for one that is too short or too long."""
    _check_operator_key(command.key)
    key_hash = hash_of(command.key)
    tenant = await work.load(Tenant, DEFAULT_TENANT, tenant=DEFAULT_TENANT)
    if not tenant.exists:
        tenant.create(DEFAULT_TENANT, "Default", work.at)
    before = await work.load(ApiKey, tenant.bootstrap_key_id or "none", tenant=DEFAULT_TENANT)
    if before.key_hash == key_hash:
        return AdminKeyRegistered(key_id=before.key_id, status="revoked" if before.revoked else "unchanged")
    key = await work.load(ApiKey, bootstrap_key_id(key_hash, tenant.version), tenant=DEFAULT_TENANT)
    key.create(bootstrap_key_id(key_hash, tenant.version), key_hash, "", OPERATOR_KEY, work.at)
    tenant.add_admin(key.key_id, work.at, bootstrap=True)
    if before.exists:
        before.revoke(work.at, "AIOS_ADMIN_KEY was set to another value")
        tenant.remove_admin(before.key_id, work.at)
    await work.save(tenant, key, before, tenant=DEFAULT_TENANT)
    return AdminKeyRegistered(key_id=key.key_id, status="replaced" if before.exists else "created")


def _target(caller: Caller, tenant_id: str | None) -> str:
    """Return the tenant whose keys are meant; another one than the caller's needs role platform."""
    caller.require("admin", "platform")
    if tenant_id is None or tenant_id == caller.tenant:
        return caller.tenant
    if "platform" not in caller.roles:
        raise Forbidden("tenant_id names another tenant, which needs role platform; leave tenant_id off")
    return tenant_id


async def _existing(work: Work, tenant_id: str) -> Tenant:
    tenant = await work.load(Tenant, tenant_id, tenant=tenant_id)
    if not tenant.exists:
        raise NotFound(f"there is no tenant '{tenant_id}'; POST /tenants creates one")
    return tenant


def _check_operator_key(key: str) -> None:
    if not SHORTEST_OPERATOR_KEY <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise InvalidInput.at(
            "/key",
            f"AIOS_ADMIN_KEY must have {SHORTEST_OPERATOR_KEY} to {LONGEST_KEY} printable ASCII characters",
        )


HANDLERS: Mapping[type[Command], Callable[[Any, Work, TenancyPorts], Awaitable[Any]]] = {
    CreateTenant: create_tenant,
    CreateKey: create_key,
    RevokeKey: revoke_key,
    BootstrapAdminKey: bootstrap_admin_key,
}
