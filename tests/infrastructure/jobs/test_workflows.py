"""Workflows from the tick to the end of their run, on the real log, queue and read models."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from application.workflows.running import RunPorts, WorkflowHandler, WorkflowRun
from domain.kernel.names import DEFAULT_TENANT
from domain.workflows.catalogue import CATALOGUE, WorkflowDefinition, by_name
from domain.workflows.events import RunFinished, RunRequested, RunStarted, TickRecorded
from infrastructure.jobs.broker import RedisQueue, build_broker
from infrastructure.jobs.job import Job
from infrastructure.jobs.ledger import TickLedger
from infrastructure.jobs.locks import AdvisoryLocks
from infrastructure.jobs.outbox import Outbox
from infrastructure.jobs.plans import Plans
from infrastructure.jobs.product import ROUTES, workflow_jobs
from infrastructure.jobs.scheduler import Scheduler
from tests.infrastructure.jobs.bench import Bench, going
from tests.waiting import until

SWEEP = WorkflowDefinition(name="sweep", title="Sweeps", interval_s=60, scope="installation")
NOON = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


def jobs_of(bench: Bench, handler: WorkflowHandler) -> list[Job]:
    ports = RunPorts(bench.store.log, AdvisoryLocks(bench.pool), lambda: datetime.now(UTC))
    return workflow_jobs({"sweep": handler}, ports, by_name([SWEEP]))


def outbox_of(bench: Bench) -> Outbox:
    queue = RedisQueue(build_broker(bench.redis_url, namespace=bench.namespace))
    return Outbox(bench.store.endpoint.system_dsn, bench.store.tail, queue, ROUTES)


async def runs(bench: Bench) -> dict[str, list[Any]]:
    """Return the events of each run, by its id."""
    found: dict[str, list[Any]] = {}
    types = [cls.TYPE for cls in (TickRecorded, RunRequested, RunStarted, RunFinished)]
    async for envelope in bench.store.log.read(types=types):
        found.setdefault(envelope.event.run_id, []).append(envelope.event)
    return found


async def finished(bench: Bench, count: int) -> list[RunFinished]:
    """Wait until so many runs have ended and return how, in log order."""

    async def ends() -> list[RunFinished]:
        return [e.event async for e in bench.store.log.read(types=[RunFinished.TYPE])]

    async def enough() -> bool:
        return len(await ends()) >= count

    await until(enough, f"{count} runs end")
    return await ends()


async def test_a_slot_becomes_a_run_that_is_told_from_start_to_end(bench: Bench) -> None:
    # given
    async def sweep(run: WorkflowRun) -> Mapping[str, int]:
        return {"due": int(run.due_at.timestamp())}

    clock = NOON
    plans = Plans(bench.store.tail, by_name([SWEEP]))
    scheduler = Scheduler(plans, TickLedger(bench.pool), bench.store.log, lambda: clock)
    await scheduler.tick_due()
    clock = NOON + timedelta(minutes=1)
    # when
    async with going(outbox_of(bench).run()), bench.working(jobs_of(bench, sweep)):
        await scheduler.tick_due()
        [end] = await finished(bench, 1)
    # then
    assert (end.status, end.counts) == ("succeeded", {"due": int(clock.timestamp())})
    [events] = (await runs(bench)).values()
    assert [type(event) for event in events] == [TickRecorded, RunStarted, RunFinished]
    envelopes = [e async for e in bench.store.log.read(types=[RunFinished.TYPE])]
    assert (envelopes[0].tenant, envelopes[0].actor) == (DEFAULT_TENANT, "system/sweep")


async def test_two_workers_do_not_overlap_a_slow_run(bench: Bench) -> None:
    # given a run that goes on, on one of two workers
    going_on, release = asyncio.Event(), asyncio.Event()
    at_once: list[int] = []

    async def slow(run: WorkflowRun) -> Mapping[str, int]:
        at_once.append(1)
        going_on.set()
        await release.wait()
        return {"at_once": len(at_once)}

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(going(outbox_of(bench).run()))
        for _ in range(2):
            await stack.enter_async_context(bench.working(jobs_of(bench, slow)))
        await request_run(bench, "first")
        await going_on.wait()
        # when more are asked for
        await request_run(bench, "second")
        await request_run(bench, "third")
        skipped = await finished(bench, 2)
        release.set()
        ends = await finished(bench, 3)
    # then
    assert {end.run_id for end in skipped} == {"second", "third"}
    assert {end.status for end in skipped} == {"skipped"}
    assert (ends[-1].run_id, ends[-1].status, ends[-1].counts) == ("first", "succeeded", {"at_once": 1})


async def test_a_failing_run_does_not_stop_the_next(bench: Bench) -> None:
    outcomes = iter([ValueError("private words"), None])

    async def fickle(run: WorkflowRun) -> Mapping[str, int]:
        problem = next(outcomes)
        if problem:
            raise problem
        return {}

    async with going(outbox_of(bench).run()), bench.working(jobs_of(bench, fickle)):
        await request_run(bench, "first")
        [failed] = await finished(bench, 1)
        await request_run(bench, "second")
        ends = await finished(bench, 2)
    assert (failed.status, "private words" in (failed.error or "")) == ("failed", False)
    assert ends[-1].status == "succeeded"


async def test_every_workflow_needs_its_handler(bench: Bench) -> None:
    async def nothing(run: WorkflowRun) -> Mapping[str, int]:
        return {}

    ports = RunPorts(bench.store.log, AdvisoryLocks(bench.pool), lambda: NOON)
    with pytest.raises(ValueError, match="model-health-check"):
        workflow_jobs({}, ports)
    with pytest.raises(ValueError, match="make-coffee"):
        workflow_jobs({**dict.fromkeys(CATALOGUE, nothing), "make-coffee": nothing}, ports)
    assert len(workflow_jobs(dict.fromkeys(CATALOGUE, nothing), ports)) == len(CATALOGUE)


async def request_run(bench: Bench, run_id: str) -> None:
    """Commit the wish for a run."""
    event = RunRequested(workflow="sweep", run_id=run_id, requested_at=datetime.now(UTC))
    await bench.append(event, DEFAULT_TENANT)
