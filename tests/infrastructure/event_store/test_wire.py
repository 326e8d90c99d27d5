"""The pipeline connection when its server goes: nobody else's connection is disturbed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import pytest
import uvloop

from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.event_store.wire import ConnectionLost, PipelineConnection, StatementFailed

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


async def test_a_transaction_that_fails_at_its_very_end_is_told_and_leaves_the_connection_usable(
    database: PostgresEndpoint,
) -> None:
    with psycopg.connect(database.admin_dsn, autocommit=True) as conn:
        conn.execute(
            "CREATE TABLE late_checks (n int UNIQUE DEFERRABLE INITIALLY DEFERRED);"
            "GRANT SELECT, INSERT ON late_checks TO aios_system"
        )
    try:
        statements = {
            b"add": b"INSERT INTO late_checks VALUES (1)",
            b"count": b"SELECT count(*) FROM late_checks",
        }
        link = await PipelineConnection.open(database.system_dsn, statements)
        with pytest.raises(StatementFailed, match="23505"):
            await link.run([(b"add", None), (b"add", None)])
        (count,) = await link.run([(b"count", None)])
        assert count.get_value(0, 0) == bytes(8)
        link.close()
    finally:
        with psycopg.connect(database.admin_dsn, autocommit=True) as conn:
            conn.execute("DROP TABLE late_checks")
