"""Hearing notifications on a connection that listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from infrastructure.database.notifications import notifications
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint

SOON_S = 20.0


@pytest.fixture
async def listening(database: PostgresEndpoint) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(database.system_dsn, autocommit=True) as conn:
        await conn.execute("LISTEN test_channel")
        yield conn


async def test_every_payload_is_heard_in_order(
    database: PostgresEndpoint, listening: psycopg.AsyncConnection
) -> None:
    # given
    heard = notifications(listening)
    async with await psycopg.AsyncConnection.connect(database.system_dsn, autocommit=True) as speaker:
        for spoken in (["a"], ["b", "c"], [str(n) for n in range(500)]):
            # when
            for payload in spoken:
                await speaker.execute("SELECT pg_notify('test_channel', %s)", [payload])
            # then
            async with asyncio.timeout(SOON_S):
                assert [await anext(heard) for _ in spoken] == spoken
    await heard.aclose()


async def test_a_lost_connection_ends_it(
    database: PostgresEndpoint, listening: psycopg.AsyncConnection
) -> None:
    # given
    waiting = asyncio.create_task(anext(notifications(listening)))
    await asyncio.sleep(0)
    # when
    async with await psycopg.AsyncConnection.connect(database.admin_dsn, autocommit=True) as admin:
        await admin.execute("SELECT pg_terminate_backend(%s)", [listening.info.backend_pid])
    # then
    with pytest.raises(psycopg.OperationalError):
        await asyncio.wait_for(waiting, SOON_S)
