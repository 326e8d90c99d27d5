"""Schedulers as processes: several at once, killed, and back after a downtime."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from domain.workflows.events import TickRecorded
from tests.infrastructure.jobs.bench import Bench, kill
from tests.waiting import until


async def slots(bench: Bench) -> list[datetime]:
    """Return every slot that was ticked, in log order."""
    return [e.event.slot async for e in bench.store.log.read(types=[TickRecorded.TYPE])]


async def until_ticked(bench: Bench, count: int) -> list[datetime]:
    """Wait until at least so many slots were ticked."""

    async def enough() -> bool:
        return len(await slots(bench)) >= count

    await until(enough, f"{count} ticks", 60.0)
    return await slots(bench)


def steps(found: list[datetime]) -> set[timedelta]:
    """Return the distances between neighbours."""
    return {later - earlier for earlier, later in pairwise(found)}


@pytest.mark.slow
async def test_three_schedulers_of_which_one_is_killed_tick_each_slot_once(bench: Bench) -> None:
    with ExitStack() as running:
        # given a slot every second and three processes
        processes = [
            running.enter_context(bench.process("scheduler", interval_s=1, catch_up="all")) for _ in range(3)
        ]
        await until_ticked(bench, 2)
        # when
        kill(processes[0])
        found = await until_ticked(bench, 6)
    # then
    assert steps(found) == {timedelta(seconds=1)}
    ledger = await bench.rows("SELECT slot FROM schedule_ticks WHERE position IS NOT NULL ORDER BY slot")
    assert [row[0] for row in ledger] == found


@pytest.mark.slow
@pytest.mark.parametrize(("catch_up", "missed"), [("latest", 1), ("all", 36)])
async def test_two_schedulers_make_up_for_a_downtime_once(bench: Bench, catch_up: str, missed: int) -> None:
    # given a scheduler that ran six hours ago
    with bench.process("scheduler", interval_s=600, catch_up=catch_up):

        async def known() -> bool:
            return bool(await bench.rows("SELECT 1 FROM schedule_ticks"))

        await until(known, "the schedule is known")
    async with bench.pool.connection() as conn:
        await conn.execute("UPDATE schedule_ticks SET slot = slot - interval '6 hours'")
    # when two come back
    again = {"interval_s": 600, "catch_up": catch_up}
    with bench.process("scheduler", **again), bench.process("scheduler", **again):
        await until_ticked(bench, missed)
        await asyncio.sleep(4)  # both have looked several times by now
    # then
    found = await slots(bench)
    assert len(found) in (missed, missed + 1)  # a slot may have come meanwhile
    assert steps(found) <= {timedelta(seconds=600)}
