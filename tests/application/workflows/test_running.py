"""Performing a run: told by events, once, never beside another one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from application.workflows.running import RunPorts, WorkflowRun, perform
from domain.kernel.errors import NotFound, Unavailable
from domain.workflows.events import RunFinished, RunStarted
from tests.application.workflows.runs import LocksInMemory, Ticking, run_named
from tests.fakes.event_log import InMemoryEventLog


class Workshop:
    """Performs runs on an in-memory log."""

    def __init__(self) -> None:
        self.log = InMemoryEventLog()
        self.locks = LocksInMemory()
        self.ports = RunPorts(self.log, self.locks, Ticking())

    def of(self, run_id: str) -> list[object]:
        """Return what happened to a run."""
        return [e.event for e in self.log.envelopes if e.stream_id == f"acme/workflow-run/{run_id}"]

    def end_of(self, run_id: str) -> RunFinished:
        """Return how a run ended."""
        [finished] = [event for event in self.of(run_id) if isinstance(event, RunFinished)]
        return finished


@pytest.fixture
def shop() -> Workshop:
    return Workshop()


async def sweeps(run: WorkflowRun) -> Mapping[str, int]:
    return {"swept": 3}


async def test_a_run_is_told_from_start_to_end(shop: Workshop) -> None:
    await perform(run_named("a"), sweeps, shop.ports)
    started, finished = shop.of("a")
    assert isinstance(started, RunStarted)
    assert isinstance(finished, RunFinished)
    assert (finished.status, finished.counts, finished.error) == ("succeeded", {"swept": 3}, None)
    assert started.started_at < finished.finished_at
    assert shop.locks.held == set()


async def test_a_run_that_ended_is_left_alone(shop: Workshop) -> None:
    await perform(run_named("a"), sweeps, shop.ports)

    async def never(run: WorkflowRun) -> Mapping[str, int]:
        raise AssertionError("the handler ran a second time")

    await perform(run_named("a"), never, shop.ports)
    assert len(shop.of("a")) == 2


async def test_a_run_whose_worker_died_is_begun_anew_and_started_once(shop: Workshop) -> None:
    # given a run that was cut off
    async def dies(run: WorkflowRun) -> Mapping[str, int]:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await perform(run_named("a"), dies, shop.ports)
    # when
    await perform(run_named("a"), sweeps, shop.ports)
    # then
    assert [type(event) for event in shop.of("a")] == [RunStarted, RunFinished]


@pytest.mark.parametrize(
    ("problem", "told"),
    [(NotFound("there is no broom"), "there is no broom"), (ValueError("private text"), "ValueError")],
)
async def test_a_failed_run_says_why_without_what_may_be_private(
    shop: Workshop, problem: Exception, told: str
) -> None:
    async def fails(run: WorkflowRun) -> Mapping[str, int]:
        raise problem

    await perform(run_named("a"), fails, shop.ports, last_attempt=False)
    finished = shop.end_of("a")
    assert finished.status == "failed"
    assert told in (finished.error or "")
    assert "private text" not in (finished.error or "")


async def test_a_run_that_takes_too_long_fails(shop: Workshop) -> None:
    async def dawdles(run: WorkflowRun) -> Mapping[str, int]:
        await asyncio.sleep(60)
        return {}

    await perform(run_named("a"), dawdles, shop.ports)
    assert (shop.end_of("a").status, shop.end_of("a").error) == ("failed", "not done within 0.2 s")


async def test_what_is_away_is_waited_for_until_the_last_attempt(shop: Workshop) -> None:
    async def away(run: WorkflowRun) -> Mapping[str, int]:
        raise Unavailable("provider", "nobody answers")

    with pytest.raises(Unavailable):
        await perform(run_named("a"), away, shop.ports, last_attempt=False)
    assert [type(event) for event in shop.of("a")] == [RunStarted]
    await perform(run_named("a"), away, shop.ports, last_attempt=True)
    assert (shop.end_of("a").status, shop.end_of("a").error) == ("failed", "nobody answers")


async def test_a_slow_run_is_not_overlapped(shop: Workshop) -> None:
    # given a run that goes on
    going, release = asyncio.Event(), asyncio.Event()

    async def slow(run: WorkflowRun) -> Mapping[str, int]:
        going.set()
        await release.wait()
        return {"swept": 1}

    first = asyncio.create_task(perform(run_named("a"), slow, shop.ports))
    await going.wait()
    # when the next slot comes
    await perform(run_named("b"), sweeps, shop.ports)
    release.set()
    await first
    # then
    assert shop.end_of("b").status == "skipped"
    assert [type(event) for event in shop.of("b")] == [RunFinished]
    assert shop.end_of("a").counts == {"swept": 1}


async def test_other_tenants_and_workflows_do_not_wait_for_each_other(shop: Workshop) -> None:
    shop.locks.held.add("workflow:other/sweep")
    await perform(run_named("a"), sweeps, shop.ports)
    assert shop.end_of("a").status == "succeeded"


async def test_a_run_begun_before_waits_instead_of_being_skipped(shop: Workshop) -> None:
    # given a run whose worker died, and whose place another run has taken
    async def dies(run: WorkflowRun) -> Mapping[str, int]:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await perform(run_named("a"), dies, shop.ports)
    shop.locks.held.add("workflow:acme/sweep")
    # when
    with pytest.raises(Unavailable):
        await perform(run_named("a"), sweeps, shop.ports, last_attempt=False)
    # then
    shop.locks.held.clear()
    await perform(run_named("a"), sweeps, shop.ports)
    assert shop.end_of("a").status == "succeeded"
