"""Lists of tenants and keys from a stream of events, and the same after a rebuild."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from application.ports import AppendRequest, NewEvent
from domain.kernel.events import Event
from domain.tenancy.events import ApiKeyCreated, ApiKeyRevoked, TenantCreated
from projections.scope import tenant_connection
from projections.tenancy.project import TENANCY
from projections.tenancy.queries import KeyView, get_key, get_tenant, list_keys, list_tenants
from tests.fakes.event_log import InMemoryEventLog
from tests.projections.conftest import Engines, Running, reached

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def key(number: int, **more: object) -> ApiKeyCreated:
    settings = {"prefix": f"aios_k{number}", "roles": ("service",), **more}
    return ApiKeyCreated(
        key_id=f"k{number}",
        key_hash="ab",
        name=f"Key {number}",
        created_at=NOW + timedelta(minutes=number),
        **settings,  # type: ignore[arg-type]  # a test's shorthand
    )


async def record(log: InMemoryEventLog, tenant: str, *events: Event) -> None:
    stored = tuple(NewEvent(f"{tenant}/x/{number}", event) for number, event in enumerate(events))
    await log.append(
        AppendRequest(
            tenant=tenant, command_id=f"{tenant}{len(log.envelopes)}", events=stored, actor="key/root"
        )
    )


@pytest.fixture
async def log() -> InMemoryEventLog:
    log = InMemoryEventLog()
    for tenant in ("beta", "acme"):
        await record(log, tenant, TenantCreated(tenant_id=tenant, name=tenant.title(), created_at=NOW))
    await record(
        log, "acme", key(1), key(2, expires_at=NOW + timedelta(hours=1), workspace_id="team"), key(3)
    )
    await record(log, "beta", key(9, roles=("admin",)))
    await record(log, "acme", ApiKeyRevoked(key_id="k3"))
    return log


async def acmes_keys(engines: Engines, **page: object) -> list[KeyView]:
    async with tenant_connection(engines.app, "acme") as conn:
        return await list_keys(conn, now=NOW + timedelta(hours=2), **{"limit": 50, **page})  # type: ignore[arg-type]  # as above


async def test_lists_show_a_tenants_own_keys_and_nothing_secret(
    engines: Engines, running: Running, log: InMemoryEventLog
):
    async with running(log, [TENANCY]):
        await reached(engines, "tenancy", await log.head())
        keys = await acmes_keys(engines)
        assert [(k.key_id, k.status) for k in keys] == [
            ("k3", "revoked"),
            ("k2", "expired"),
            ("k1", "active"),
        ]
        assert (keys[1].workspace_id, keys[1].roles, keys[1].created_by) == ("team", ("service",), "key/root")
        assert keys[0].revoked_by == "key/root"
        first = await acmes_keys(engines, limit=2)
        rest = await acmes_keys(engines, after=(first[-1].created_at, first[-1].key_id))
        assert first + rest == keys
        async with tenant_connection(engines.app, "acme") as conn:
            assert await get_key(conn, "k9", now=NOW) is None
            assert await get_key(conn, "k1", now=NOW) == keys[2]
        assert not any("ab" in row for row in await engines.rows("SELECT * FROM api_keys"))


async def test_tenants_are_listed_by_id(engines: Engines, running: Running, log: InMemoryEventLog):
    async with running(log, [TENANCY]):
        await reached(engines, "tenancy", await log.head())
        async with tenant_connection(engines.app, "default") as conn:
            assert [t.tenant_id for t in await list_tenants(conn, limit=9)] == ["acme", "beta"]
            assert [t.name for t in await list_tenants(conn, limit=9, after="acme")] == ["Beta"]
            assert (await get_tenant(conn, "acme")) == (await list_tenants(conn, limit=1))[0]
            assert await get_tenant(conn, "ghost") is None
