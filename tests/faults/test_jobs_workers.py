"""Workers die in the middle of jobs, or are told to stop there."""

from __future__ import annotations

import signal
import time

import pytest

from infrastructure.jobs.broker import RedisQueue, build_broker
from infrastructure.jobs.job import JobRef
from tests.infrastructure.jobs.bench import Bench, ended, kill
from tests.waiting import until

RECOVERY_S = 15.0
STOP_S = 20.0


async def enqueue(bench: Bench, job: str, times: int = 1) -> list[int]:
    """Hand jobs to the queue without an outbox, so that nothing but the queue brings them back."""
    positions = await bench.ask(job, times)
    queue = RedisQueue(build_broker(bench.redis_url, namespace=bench.namespace))
    await queue.enqueue([JobRef(job, position) for position in positions])
    return positions


async def until_attempted(bench: Bench, positions: list[int], times: int = 1) -> None:
    """Wait until each job was begun so many times."""

    async def begun() -> bool:
        return all(len(bench.attempts(position)) >= times for position in positions)

    await until(begun, f"jobs {positions} begun {times} times", 60.0)


@pytest.mark.slow
async def test_a_killed_workers_jobs_run_again_within_15_s_and_count_once(bench: Bench) -> None:
    # given a worker in the middle of three jobs, a second one that idles, and nothing else going on
    positions = await enqueue(bench, "hold", times=3)
    with bench.process("worker") as dying:
        await until_attempted(bench, positions)
        with bench.process("worker"):
            # when
            kill(dying)
            killed = time.monotonic()
            await until_attempted(bench, positions, times=2)
            recovered = time.monotonic() - killed
            (bench.folder / "release").touch()
            await bench.until_effects(positions)
    # then
    assert recovered < RECOVERY_S, f"recovery took {recovered:.1f} s"
    assert await bench.effects() == positions


@pytest.mark.slow
async def test_a_worker_that_starts_after_the_kill_finds_the_job_too(bench: Bench) -> None:
    # given the only worker dies
    positions = await enqueue(bench, "hold")
    with bench.process("worker") as dying:
        await until_attempted(bench, positions)
        kill(dying)
    killed = time.monotonic()
    # when a new one is started
    with bench.process("worker"):
        await until_attempted(bench, positions, times=2)
        recovered = time.monotonic() - killed
        (bench.folder / "release").touch()
        await bench.until_effects(positions)
    # then
    assert recovered < RECOVERY_S, f"recovery took {recovered:.1f} s"
    assert await bench.effects() == positions


async def test_a_stopping_worker_lets_its_jobs_end(bench: Bench) -> None:
    # given
    positions = await enqueue(bench, "hold", times=2)
    with bench.process("worker") as stopping:
        await until_attempted(bench, positions)
        # when
        stopping.send_signal(signal.SIGTERM)
        stopping.send_signal(signal.SIGTERM)
        (bench.folder / "release").touch()
        # then
        assert await ended(stopping, STOP_S) == 0
    assert await bench.effects() == positions
    assert len(bench.attempts()) == 2


@pytest.mark.slow
async def test_a_stopping_worker_hands_on_what_does_not_end(bench: Bench) -> None:
    # given
    positions = await enqueue(bench, "hold")
    with bench.process("worker") as stopping:
        await until_attempted(bench, positions)
        # when
        stopping.send_signal(signal.SIGTERM)
        # then it ends in time, though its job does not
        assert await ended(stopping, STOP_S) == 0
    (bench.folder / "release").touch()
    async with bench.working():
        await bench.until_effects(positions)
    assert await bench.effects() == positions
