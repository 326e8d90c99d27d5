"""Workflows and their runs from a stream of events, and the same after a rebuild."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.workflows.catalogue import MODEL_HEALTH_CHECK
from domain.workflows.events import RunFinished, RunRequested, RunStarted, TickRecorded, WorkflowConfigured
from infrastructure.jobs.timetables import timetable_of
from projections.rebuild import rebuild
from projections.runner import worker_name
from projections.scope import tenant_connection
from projections.workflows.project import WORKFLOWS
from projections.workflows.queries import RunView, WorkflowView, get_run, list_runs, list_workflows
from tests.projections.conftest import Engines, Running, reached
from tests.projections.memory_tail import MemoryTail

NAME = MODEL_HEALTH_CHECK.name
NOON = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ROWS = "SELECT * FROM workflow_runs ORDER BY tenant, position"


def tick(run_id: str, at: datetime = NOON) -> TickRecorded:
    return TickRecorded(workflow=NAME, run_id=run_id, slot=at)


def started(run_id: str) -> RunStarted:
    return RunStarted(workflow=NAME, run_id=run_id, started_at=NOON + SECOND)


def finished(run_id: str, status: str = "succeeded", error: str | None = None) -> RunFinished:
    return RunFinished(
        workflow=NAME,
        run_id=run_id,
        status=status,  # type: ignore[arg-type]  # a test's shorthand
        finished_at=NOON + 2 * SECOND,
        counts={"models": 4},
        error=error,
    )


def configured(*, enabled: bool, cron: str | None) -> WorkflowConfigured:
    return WorkflowConfigured(workflow=NAME, enabled=enabled, interval_s=None, cron=cron, configured_at=NOON)


@pytest.fixture
def tail() -> MemoryTail:
    tail = MemoryTail()
    tail.append(tick("a"), started("a"), finished("a"), tick("b"), started("b"))
    tail.append(RunRequested(workflow=NAME, run_id="c", requested_at=NOON))
    tail.append(tick("x"), finished("x", "skipped", "still going"), tenant="t2")
    return tail


async def runs_of(engines: Engines, tenant: str, **page: object) -> list[RunView]:
    async with tenant_connection(engines.app, tenant) as conn:
        return await list_runs(conn, **{"limit": 50, **page})  # type: ignore[arg-type]  # as above


async def workflow_of(engines: Engines, tenant: str) -> WorkflowView:
    async with tenant_connection(engines.app, tenant) as conn:
        found = await list_workflows(conn, now=NOON, timetable_of=timetable_of)
    return next(view for view in found if view.name == NAME)


async def test_runs_are_listed_newest_first_as_far_as_they_are(
    engines: Engines, running: Running, tail: MemoryTail
) -> None:
    async with running(tail, [WORKFLOWS]):
        await reached(engines, "workflows", await tail.head())
        runs = await runs_of(engines, "t1")
        assert [(r.run_id, r.status, r.cause) for r in runs] == [
            ("c", "queued", "request"),
            ("b", "running", "schedule"),
            ("a", "succeeded", "schedule"),
        ]
        assert (runs[2].counts, runs[2].finished_at, runs[2].error) == (
            {"models": 4},
            NOON + 2 * SECOND,
            None,
        )
        [other] = await runs_of(engines, "t2")
        assert (other.status, other.error, other.started_at) == ("skipped", "still going", None)


async def test_pages_of_runs_join_up(engines: Engines, running: Running, tail: MemoryTail) -> None:
    async with running(tail, [WORKFLOWS]):
        await reached(engines, "workflows", await tail.head())
        first = await runs_of(engines, "t1", limit=2)
        rest = await runs_of(engines, "t1", before=first[-1].position)
        assert first + rest == await runs_of(engines, "t1")
        assert await runs_of(engines, "t1", workflow="another") == []
        async with tenant_connection(engines.app, "t1") as conn:
            assert await get_run(conn, "a") == rest[-1]
            assert await get_run(conn, "x") is None


async def test_a_workflow_shows_its_settings_and_its_last_run(
    engines: Engines, running: Running, tail: MemoryTail
) -> None:
    async with running(tail, [WORKFLOWS]):
        # given nobody changed anything
        await reached(engines, "workflows", await tail.head())
        built = await workflow_of(engines, "t1")
        assert (built.enabled, built.interval_s, built.cron, built.catch_up) == (True, 300, None, "skip")
        assert built.next_run_at == NOON + timedelta(minutes=5)
        assert built.last_run
        assert built.last_run.run_id == "c"
        # when an operator changes it
        tail.append(configured(enabled=True, cron="0 3 * * *"))
        await reached(engines, "workflows", await tail.head())
        nightly = await workflow_of(engines, "t1")
        tail.append(configured(enabled=False, cron=None))
        await reached(engines, "workflows", await tail.head())
        off = await workflow_of(engines, "t1")
        # then
        assert (nightly.interval_s, nightly.cron) == (None, "0 3 * * *")
        assert nightly.next_run_at == NOON + timedelta(hours=15)
        assert (off.enabled, off.interval_s, off.next_run_at) == (False, 300, None)
        assert (off.changed_at, off.changed_by) == (NOON, "key/test")
        assert (await workflow_of(engines, "t3")).last_run is None


async def test_a_rebuild_shows_the_same(engines: Engines, running: Running, tail: MemoryTail) -> None:
    async with running(tail, [WORKFLOWS]):
        await reached(engines, "workflows", await tail.head())
    before = await engines.rows(ROWS)
    await rebuild(WORKFLOWS, tail=tail, system=engines.system, owner=engines.owner, worker=worker_name())
    assert await engines.rows(ROWS) == before
    assert len(before) == 4
