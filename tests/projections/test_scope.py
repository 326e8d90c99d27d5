"""Reads through the views obey row-level security, and nothing is written through them."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from projections.registry import PROJECTIONS
from projections.scope import tenant_connection
from tests.projections.conftest import Engines, Running, reached
from tests.projections.memory_tail import MemoryTail
from tests.projections.shelf import SHELF, ItemAdded

ITEMS = text("SELECT tenant, item FROM shelf_items ORDER BY item")


@pytest.fixture
async def two_tenants(engines: Engines, running: Running) -> None:
    tail = MemoryTail()
    tail.append(ItemAdded(item="a"), tenant="t1")
    tail.append(ItemAdded(item="b"), tenant="t2")
    async with running(tail, [SHELF]):
        await reached(engines, "shelf", 2)


@pytest.mark.usefixtures("two_tenants")
@pytest.mark.parametrize(("tenant", "item"), [("t1", "a"), ("t2", "b")])
async def test_a_tenant_sees_its_own_rows_alone(engines: Engines, tenant: str, item: str) -> None:
    async with tenant_connection(engines.app, tenant) as conn:
        assert (await conn.execute(ITEMS)).all() == [(tenant, item)]


@pytest.mark.usefixtures("two_tenants")
async def test_without_a_tenant_there_are_no_rows(engines: Engines) -> None:
    # given a connection that served a tenant before
    async with tenant_connection(engines.app, "t1") as conn:
        await conn.execute(ITEMS)
    # when, then
    async with engines.app.connect() as conn:
        assert (await conn.execute(ITEMS)).all() == []


@pytest.mark.usefixtures("two_tenants")
@pytest.mark.parametrize("table", ["shelf_items", "shelf_items_v1_g1"])
async def test_the_request_path_cannot_write(engines: Engines, table: str) -> None:
    with pytest.raises(DBAPIError, match=r"read-only transaction|permission denied"):
        async with tenant_connection(engines.app, "t1") as conn:
            await conn.execute(text(f"DELETE FROM {table}"))
    with pytest.raises(DBAPIError, match="permission denied"):
        async with engines.app.begin() as conn:
            await conn.execute(text(f"DELETE FROM {table}"))


@pytest.mark.usefixtures("two_tenants")
async def test_the_owner_of_the_tables_is_held_to_row_level_security_too(engines: Engines) -> None:
    async with engines.owner.connect() as conn:
        assert (await conn.execute(text("SELECT FROM shelf_items_v1_g1"))).all() == []


async def test_every_tenant_table_forces_row_level_security(engines: Engines, running: Running) -> None:
    # given
    async with running(MemoryTail(), PROJECTIONS):
        await reached(engines, PROJECTIONS[-1].name, 0)
    # when
    unguarded = await engines.rows(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' "
        "WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace "
        "AND NOT (c.relrowsecurity AND c.relforcerowsecurity) AND c.relname ~ '_v[0-9]+_g[0-9]+$'"
    )
    # then
    assert unguarded == []
