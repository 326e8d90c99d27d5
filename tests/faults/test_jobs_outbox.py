"""The outbox dies where it hurts most: between the commit of an event and the enqueue of its job."""

from __future__ import annotations

import pytest

from tests.infrastructure.jobs.bench import Bench, ended
from tests.waiting import until

SIGKILLED = -9


@pytest.mark.parametrize("point", ["before_enqueue", "after_enqueue"])
async def test_a_job_survives_a_kill_between_commit_and_enqueue(bench: Bench, point: str) -> None:
    # given events that were committed, and an outbox that died over them
    positions = await bench.ask("count", times=3)
    with bench.process("outbox", die=point) as dying:
        assert await ended(dying) == SIGKILLED
    assert await bench.rows("SELECT position FROM outbox_cursors") == [(0,)]
    assert await bench.rows("SELECT 1 FROM inbox") == []
    # when another one takes over
    with bench.process("outbox"):
        async with bench.working():
            await bench.until_effects(positions)
            await all_done(bench, 3)
    # then
    assert await bench.effects() == positions


async def test_outboxes_killed_again_and_again_lose_and_double_nothing(bench: Bench) -> None:
    positions: list[int] = []
    async with bench.working():
        for point in ("after_enqueue", "before_enqueue", "after_enqueue"):
            positions += await bench.ask("count", times=10)
            with bench.process("outbox", die=point) as dying:
                assert await ended(dying) == SIGKILLED
        with bench.process("outbox"):
            await bench.until_effects(positions)
            await all_done(bench, len(positions))
    assert await bench.effects() == positions


async def all_done(bench: Bench, jobs: int) -> None:
    """Wait until the inbox has so many jobs, all of them done."""

    async def there() -> bool:
        return await bench.rows("SELECT DISTINCT state, count(*) OVER () FROM inbox") == [("done", jobs)]

    await until(there, f"{jobs} jobs are done")
