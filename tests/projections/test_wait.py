"""Waiting until read models hold what was just written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from infrastructure.database.engines import engine
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.operations.projector import heed
from projections.projection import Projection
from projections.wait import ProjectionWaiter
from tests.infrastructure.jobs.bench import going
from tests.projections.conftest import FAST, Engines, Running, reached
from tests.projections.memory_tail import MemoryTail
from tests.projections.shelf import SHELF, ItemAdded, Unrelated
from tests.waiting import until

OTHER = Projection("other", 1, (), {Unrelated: lambda e: []})


@pytest.fixture
async def waiter(database: PostgresEndpoint, engines: Engines) -> AsyncIterator[ProjectionWaiter]:
    """A waiter in another process would use the role of the request path."""
    made = engine(database.app_dsn)
    waiter = ProjectionWaiter(made, ["shelf", "other"])
    await waiter.start()
    yield waiter
    await waiter.close()
    await made.dispose()


async def test_rows_are_there_when_the_wait_ends(
    engines: Engines, running: Running, waiter: ProjectionWaiter
) -> None:
    tail = MemoryTail()
    async with running(tail, [SHELF, OTHER]):
        for number in range(1, 30):
            # when
            position = tail.append(ItemAdded(item=f"i{number}"))
            # then
            assert await waiter.caught_up(position, timeout_s=20.0)
            assert await engines.rows("SELECT count(*) FROM shelf_items") == [(number,)]


async def test_who_waits_ends_the_rest_of_a_busy_runner(
    database: PostgresEndpoint, engines: Engines, running: Running, waiter: ProjectionWaiter
) -> None:
    # given a runner that rests for minutes once it has read something
    tail = MemoryTail()
    resting = replace(FAST, rest_s=300.0, longest_rest_s=300.0)
    async with running(tail, [SHELF], resting) as runner, going(heed(database.system_dsn, runner)):
        await reached(engines, "shelf", tail.append(ItemAdded(item="first")))
        for item in ("second", "third"):
            # when, then
            assert await waiter.caught_up(tail.append(ItemAdded(item=item)), ["shelf"], timeout_s=20.0)


async def test_a_projection_that_does_not_come_ends_the_wait(
    running: Running, waiter: ProjectionWaiter
) -> None:
    # given only one of two projections at work
    tail = MemoryTail()
    async with running(tail, [SHELF]):
        position = tail.append(Unrelated())
        # when, then
        assert await waiter.caught_up(position, ["shelf"], timeout_s=20.0)
        assert not await waiter.caught_up(position, ["shelf", "other"], timeout_s=0.4)


async def test_without_notifications_the_checkpoints_are_asked(engines: Engines, running: Running) -> None:
    # given a waiter that does not listen
    tail = MemoryTail()
    deaf = ProjectionWaiter(engines.app, ["shelf"], poll_s=0.05)
    async with running(tail, [SHELF]):
        position = tail.append(ItemAdded(item="a"))
        # when, then
        assert await deaf.caught_up(position, timeout_s=20.0)


async def test_a_database_that_is_away_is_no_error() -> None:
    # given a port that nothing listens on
    nowhere = engine("postgresql://nobody@127.0.0.1:1/none")
    waiter = ProjectionWaiter(nowhere, ["shelf"], poll_s=0.05)
    # when, then
    assert not await waiter.caught_up(1, timeout_s=0.3)
    await nowhere.dispose()


async def test_it_listens_while_somebody_waits_and_not_for_long_after(
    database: PostgresEndpoint, engines: Engines, running: Running
) -> None:
    async def listeners() -> int:
        [(count,)] = await engines.rows(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE query LIKE 'LISTEN aios_projected%' AND datname = current_database()"
        )
        return int(count)

    async def one_listens() -> bool:
        return await listeners() == 1

    async def nobody_listens() -> bool:
        return await listeners() == 0

    # given
    made = engine(database.system_dsn)
    waiter = ProjectionWaiter(made, ["shelf"], listen_for_s=0.2)
    await waiter.start()
    assert await listeners() == 0
    tail = MemoryTail()
    async with running(tail, [SHELF]):
        for item in ("a", "b"):
            # when somebody waits for what has not come
            assert not await waiter.caught_up(await tail.head() + 1, timeout_s=0.5)
            await until(one_listens, "somebody listens")
            # then what comes is seen, and afterwards nothing listens
            assert await waiter.caught_up(tail.append(ItemAdded(item=item)), timeout_s=20.0)
            await until(nobody_listens, "nobody listens any more")
    await waiter.close()
    await made.dispose()
