"""Connections that the server ended are replaced before anybody gets them, also those used a moment ago."""

from __future__ import annotations

import asyncio

import psycopg
from sqlalchemy import text

from infrastructure.database.engines import engine, pool
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint

BACKEND = "SELECT pg_backend_pid()"


async def end(database: PostgresEndpoint, application: str) -> None:
    async with await psycopg.AsyncConnection.connect(database.admin_dsn) as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s",
            [application],
        )


async def test_an_engine_replaces_connections_that_were_ended(database: PostgresEndpoint) -> None:
    made = engine(database.system_dsn, application="ended-engine")
    for rest in (0.0, 0.4):
        async with made.connect() as conn:
            before = (await conn.execute(text(BACKEND))).scalar_one()
        await asyncio.sleep(rest)
        await end(database, "ended-engine")
        async with made.connect() as conn:
            assert (await conn.execute(text(BACKEND))).scalar_one() != before
    await made.dispose()


async def test_a_pool_replaces_connections_that_were_ended(database: PostgresEndpoint) -> None:
    async with pool(database.system_dsn, size=1, application="ended-pool") as made:
        for rest in (0.0, 0.4):
            async with made.connection() as conn:
                before = await (await conn.execute(BACKEND)).fetchone()
            await asyncio.sleep(rest)
            await end(database, "ended-pool")
            async with made.connection() as conn:
                assert await (await conn.execute(BACKEND)).fetchone() != before


async def test_a_connection_in_use_is_lent_again(database: PostgresEndpoint) -> None:
    made = engine(database.system_dsn, application="kept-engine")
    found = set()
    for _ in range(3):
        async with made.connect() as conn:
            found.add((await conn.execute(text(BACKEND))).scalar_one())
    assert len(found) == 1
    await made.dispose()
