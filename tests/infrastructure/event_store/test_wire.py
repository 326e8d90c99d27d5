"""The pipeline connection when its server goes: nobody else's connection is disturbed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import pytest
import uvloop

from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.event_store.wire import ConnectionLost, PipelineConnection

STATEMENTS = {b"sleep": b"SELECT pg_sleep(600)", b"who": b"SELECT pg_backend_pid()"}
ROUNDS = 5


def cut(database: PostgresEndpoint) -> None:
    with psycopg.connect(database.admin_dsn, autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE usename = 'aios_system' AND query LIKE '%pg_sleep%' AND state = 'active'"
        )


async def lose_one_and_open_another(database: PostgresEndpoint) -> None:
    lost = await PipelineConnection.open(database.system_dsn, STATEMENTS)
    waiting = asyncio.create_task(lost.run([(b"sleep", None)]))
    cutting = asyncio.create_task(asyncio.to_thread(cut, database))
    while not lost.closed:  # noqa: ASYNC110 the very moment is wanted, before the waiting task knows
        await asyncio.sleep(0)
    follower = await PipelineConnection.open(database.system_dsn, STATEMENTS)
    with pytest.raises(ConnectionLost):
        await waiting
    assert len(await follower.run([(b"who", None)])) == 1
    follower.close()
    await cutting


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_connection_that_gets_a_lost_ones_descriptor_hears_its_answers(
    database: PostgresEndpoint, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    async def rounds() -> None:
        for _ in range(ROUNDS):
            async with asyncio.timeout(30):
                await lose_one_and_open_another(database)

    run(rounds())
