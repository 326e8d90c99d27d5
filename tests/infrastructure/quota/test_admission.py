"""Many requests at once, on several processes, at a cap: never one too many, never one too few."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from domain.usage.quota_slices import DoesNotFit
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from tests.infrastructure.quota.offices import TOKENS, offices, report, standing


async def test_given_a_cap_for_100_when_400_ask_on_two_processes_then_exactly_100_are_admitted(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 2) as (one, two):
        await one.set_limit(1000)
        asked = [(one, two)[n % 2].admit(f"r{n}", 10) for n in range(400)]
        holds = [hold for hold in await asyncio.gather(*asked) if hold is not None]
        assert len(holds) == 100
        by_node = {one.service.node_id: one, two.service.node_id: two}
        await asyncio.gather(*(by_node[hold.node_id].finish(hold, 10) for hold in holds))
        assert await one.admit("late", 1) is None
        await one.service.tell()
        await two.service.tell()
        assert await standing(database) == {"used": 1000, "leased": 0, "held": 0}
        assert (await report(database)).ok


async def test_given_requests_that_use_less_than_reserved_then_the_rest_is_there_for_others(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 2) as (one, two):
        await one.set_limit(100)
        hold = await one.admit("r1", 90)
        assert hold is not None
        assert await two.admit("r2", 50) is None
        await one.finish(hold, 30)
        assert await two.admit("r3", 70) is not None


async def test_given_an_idle_slice_of_another_process_then_it_is_asked_back_before_anything_is_refused(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 2) as (one, two):
        await one.set_limit(1000)
        hold = await one.admit("r1", 1)
        assert hold is not None
        assert (await standing(database))["leased"] > 1
        assert await two.admit("r2", 999) is not None
        assert (await standing(database))["leased"] == 1000


async def test_a_request_that_does_not_fit_is_refused_while_smaller_ones_pass(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 1) as (one,):
        await one.set_limit(100)
        assert await one.admit("big", 101) is None
        assert await one.admit("small", 100) is not None


async def test_given_a_limit_below_what_is_used_then_it_blocks_at_once_and_the_rest_settles(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 1) as (one,):
        await one.set_limit(1000)
        hold = await one.admit("r1", 500)
        assert hold is not None
        await one.set_limit(10)
        one.service.limits_changed("acme", "tenant", "")
        assert await one.admit("r2", 1) is None
        await one.finish(hold, 500)
        await one.service.tell()
        assert await standing(database) == {"used": 500, "leased": 0, "held": 0}


async def test_another_attempt_after_one_that_used_something_holds_its_bound_too(
    database: PostgresEndpoint, tmp_path: Path
) -> None:
    async with offices(database, tmp_path, 1) as (one,):
        await one.set_limit(100)
        hold = await one.admit("r1", 40)
        assert hold is not None
        await one.service.extend(hold, {TOKENS: 40})
        with pytest.raises(DoesNotFit):
            await one.service.extend(hold, {TOKENS: 40})
        await one.finish(hold, 70)
        await one.service.tell()
        found = await standing(database)
        assert (found["used"], found["held"]) == (70, 0)
        assert await one.admit("r2", 31) is None
        assert await one.admit("r3", 30) is not None
