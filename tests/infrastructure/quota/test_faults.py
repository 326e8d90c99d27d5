"""Crashes, silence and lost rows: a slice ends with its process, what was under way is settled once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from domain.kernel.errors import Unavailable
from domain.usage.quota import Account
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.quota.service import QuotaService, cancelled_between
from tests.infrastructure.quota.offices import (
    TENANT,
    TOKENS,
    change,
    offices,
    record,
    report,
    rows,
    standing,
)
from tests.waiting import until


async def died(service: QuotaService, database: PostgresEndpoint, *, seconds_ago: int) -> None:
    """Stop a process's upkeep as SIGKILL does, and let the time pass."""
    await cancelled_between(service.working, service._tasks)
    await change(
        database,
        f"UPDATE quota_nodes SET expires_at = now() - interval '{seconds_ago} s'"
        f" WHERE node_id = '{service.node_id}'",
    )


async def test_given_a_dead_process_then_its_idle_slice_is_free_and_what_it_held_is_settled_at_its_bound(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 2) as (one, two):
        await one.set_limit(1000)
        hold = await one.admit("r1", 100)
        released = await one.admit("r2", 50)
        assert hold is not None
        assert released is not None
        hold.record = lambda: record("r1", 100, outcome="interrupted", usage_source="estimated")
        hold.since -= 1
        await one.service.tell()
        await died(one.service, database, seconds_ago=60)
        assert await two.admit("r3", 851) is None
        assert await two.admit("r4", 850) is not None
        await two.watch.reap()
        assert (await standing(database))["used"] == 100
        assert await rows(database, "SELECT 1 FROM quota_holds") == []
        assert await two.admit("r5", 50) is not None
        assert (await report(database)).ok


async def test_given_an_assumed_request_then_its_late_end_changes_nothing(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 2) as (one, two):
        await one.set_limit(1000)
        hold = await one.admit("r1", 100)
        assert hold is not None
        hold.record = lambda: record("r1", 100)
        hold.since -= 1
        await one.service.tell()
        await died(one.service, database, seconds_ago=60)
        await two.watch.reap()
        await one.finish(hold, 30)
        assert (await standing(database))["used"] == 100
        assert (await report(database)).ok


async def test_given_a_lease_that_was_released_then_a_late_end_still_books_its_usage(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 2) as (one, two):
        await one.set_limit(1000)
        hold = await one.admit("r1", 100)
        assert hold is not None
        await died(one.service, database, seconds_ago=60)
        await two.watch.reap()
        assert await standing(database) == {"used": 0, "leased": 0, "held": 0}
        await one.finish(hold, 30)
        assert (await standing(database))["used"] == 30
        assert (await report(database)).ok


async def test_given_a_process_that_was_silent_for_too_long_then_it_begins_anew_with_what_it_holds(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 1) as (one,):
        await one.set_limit(1000)
        hold = await one.admit("r1", 100)
        assert hold is not None
        await change(database, "UPDATE quota_nodes SET expires_at = now() - interval '30 s'")
        one.service.slices.fresh_until = 0.0
        assert await one.admit("r2", 100) is not None
        await one.finish(hold, 100)
        await one.service.tell()
        found = await standing(database)
        assert (found["used"], found["held"]) == (100, 100)
        assert found["used"] + found["leased"] <= 1000


async def test_an_unused_slice_goes_back_by_itself(database: PostgresEndpoint, tmp_path: Path) -> None:
    async with offices(database, tmp_path, 1) as (one,):
        await one.set_limit(1000)
        hold = await one.admit("r1", 10)
        assert hold is not None
        await one.finish(hold, 10)
        one.service.slices.last_use[TOKENS] -= 60

        async def gone() -> bool:
            return await rows(database, "SELECT 1 FROM quota_leases") == []

        await until(gone, "the slice goes back")
        assert TOKENS not in one.service.slices.table


async def test_given_no_database_then_nothing_is_admitted_that_memory_does_not_allow(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 1) as (one,):
        await one.set_limit(1000)
        await one.store.reader._pool.close()
        with pytest.raises(Unavailable):
            await one.service.hold(TENANT, "r1", {TOKENS: 10})


async def test_a_cancelled_request_that_waited_holds_nothing(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 1) as (one,):
        await one.set_limit(100)
        waiting = asyncio.create_task(one.admit("r1", 100))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

        async def fits() -> bool:
            return await one.admit("r2", 100) is not None

        await until(fits, "the request fits")


async def test_records_of_holds_decode(database: PostgresEndpoint, tmp_path: Path) -> None:
    async with offices(database, tmp_path, 1) as (one,):
        await one.set_limit(1000)
        hold = await one.admit("r1", 100)
        assert hold is not None
        hold.record = lambda: record("r1", 100)
        hold.since -= 1
        await one.service.tell()
        ((_, _, encoded),) = await one.service.ledger.holds_of(one.service.node_id)
        assert msgspec.json.decode(encoded, type=type(record("r1", 1))) == record("r1", 100)
        await one.finish(hold, 10)
        assert await rows(database, "SELECT 1 FROM quota_holds") == []


def test_accounts_sort_the_same_on_every_process() -> None:
    key = Account(TENANT, "key", "k1", "2026-11", "tokens")
    assert sorted([TOKENS, key]) == [key, TOKENS]
