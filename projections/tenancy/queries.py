"""Reads the lists of tenants and keys; the only reader of their tables."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import Row, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.tenancy.tables import api_keys, tenants

KeyStatus = Literal["active", "expired", "revoked"]


class TenantView(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant as the platform's operators see it."""

    tenant_id: str
    name: str
    created_at: datetime
    created_by: str


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as its tenant's administrators see it; `prefix` is empty for the operator's own key."""

    key_id: str
    name: str
    prefix: str
    roles: tuple[str, ...]
    workspace_id: str | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    status: KeyStatus


async def list_tenants(conn: AsyncConnection, *, limit: int, after: str | None = None) -> list[TenantView]:
    """Return tenants by id, those after the given one; for role platform alone."""
    query = select(tenants).order_by(tenants.c.tenant_id).limit(limit)
    if after is not None:
        query = query.where(tenants.c.tenant_id > after)
    return [
        TenantView(
            tenant_id=row.tenant_id, name=row.name, created_at=row.created_at, created_by=row.created_by
        )
        for row in await conn.execute(query)
    ]


async def get_tenant(conn: AsyncConnection, tenant_id: str) -> TenantView | None:
    """Return one tenant, None when there is none."""
    found = await conn.execute(select(tenants).where(tenants.c.tenant_id == tenant_id))
    row = found.one_or_none()
    if row is None:
        return None
    return TenantView(
        tenant_id=row.tenant_id, name=row.name, created_at=row.created_at, created_by=row.created_by
    )


async def list_keys(
    conn: AsyncConnection, *, now: datetime, limit: int, after: tuple[datetime, str] | None = None
) -> list[KeyView]:
    """Return the connection's tenant's keys, newest first, those after (created_at, key_id)."""
    age = tuple_(api_keys.c.created_at, api_keys.c.key_id)
    query = select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.key_id.desc()).limit(limit)
    if after is not None:
        query = query.where(age < after)
    return [_key(row, now) for row in await conn.execute(query)]


async def get_key(conn: AsyncConnection, key_id: str, *, now: datetime) -> KeyView | None:
    """Return one key of the connection's tenant, None when there is none."""
    found = await conn.execute(select(api_keys).where(api_keys.c.key_id == key_id))
    row = found.one_or_none()
    return None if row is None else _key(row, now)


def _key(row: Row[tuple[object, ...]], now: datetime) -> KeyView:
    values = row._asdict()
    values.pop("tenant")
    return KeyView(**{**values, "roles": tuple(row.roles), "status": _status(row, now)})


def _status(row: Row[tuple[object, ...]], now: datetime) -> KeyStatus:
    if row.revoked_at is not None:
        return "revoked"
    if row.expires_at is not None and now >= row.expires_at:
        return "expired"
    return "active"
