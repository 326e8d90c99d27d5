"""Lists workflows with their settings and last run, and runs; the only reader of their tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.workflows.catalogue import CATALOGUE, Scope, WorkflowDefinition
from domain.workflows.events import RunStatus
from domain.workflows.schedule import CatchUp, Timetable
from domain.workflows.workflow import Settings
from projections.workflows.tables import workflow_runs, workflow_settings

Cause = Literal["schedule", "request"]
TimetableOf = Callable[[WorkflowDefinition, Settings], Timetable]


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `due_at` is its slot, or when it was asked for; `position` is the event that caused it."""

    run_id: str
    workflow: str
    status: RunStatus | Literal["queued", "running"]
    cause: Cause
    caused_by: str
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    counts: Mapping[str, int]
    error: str | None
    position: int


class WorkflowView(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow. `interval_s` is None when `cron` rules; `next_run_at` is None when it is disabled.

    One of scope `installation` runs by itself for all tenants together; its schedule and those runs are the
    affair of tenant `default`, other tenants see it as it is built and the runs they asked for themselves.
    """

    name: str
    title: str
    scope: Scope
    enabled: bool
    interval_s: int | None
    cron: str | None
    catch_up: CatchUp
    changed_at: datetime | None
    changed_by: str | None
    next_run_at: datetime | None
    last_run: RunView | None


async def list_workflows(
    conn: AsyncConnection,
    *,
    now: datetime,
    timetable_of: TimetableOf,
    catalogue: Mapping[str, WorkflowDefinition] = CATALOGUE,
) -> list[WorkflowView]:
    """Return every workflow as the connection's tenant has set it.

    `timetable_of` is `infrastructure.jobs.timetables.timetable_of`.
    """
    settings = {row.workflow: row for row in await conn.execute(select(workflow_settings))}
    runs = {name: await list_runs(conn, limit=1, workflow=name) for name in catalogue}
    return [
        _workflow(definition, settings.get(name), runs[name], now, timetable_of)
        for name, definition in catalogue.items()
    ]


async def list_runs(
    conn: AsyncConnection, *, limit: int, before: int | None = None, workflow: str | None = None
) -> list[RunView]:
    """Return the tenant's runs, newest first, those whose `position` is below `before`."""
    query = select(workflow_runs).order_by(workflow_runs.c.position.desc()).limit(limit)
    if before is not None:
        query = query.where(workflow_runs.c.position < before)
    if workflow is not None:
        query = query.where(workflow_runs.c.workflow == workflow)
    return [_run(row) for row in await conn.execute(query)]


async def get_run(conn: AsyncConnection, run_id: str) -> RunView | None:
    """Return one run of the tenant, None when there is none."""
    row = (await conn.execute(select(workflow_runs).where(workflow_runs.c.run_id == run_id))).one_or_none()
    return None if row is None else _run(row)


def _workflow(
    definition: WorkflowDefinition,
    changed: Row[tuple[object, ...]] | None,
    last_runs: list[RunView],
    now: datetime,
    timetable_of: TimetableOf,
) -> WorkflowView:
    settings = Settings()
    if changed is not None:
        settings = Settings(enabled=changed.enabled, interval_s=changed.interval_s, cron=changed.cron)
    built = definition.interval_s if settings.cron is None else None
    return WorkflowView(
        name=definition.name,
        title=definition.title,
        scope=definition.scope,
        enabled=settings.enabled,
        interval_s=settings.interval_s or built,
        cron=settings.cron,
        catch_up=definition.catch_up,
        changed_at=changed.changed_at if changed is not None else None,
        changed_by=changed.changed_by if changed is not None else None,
        next_run_at=timetable_of(definition, settings).after(now) if settings.enabled else None,
        last_run=last_runs[0] if last_runs else None,
    )


def _run(row: Row[tuple[object, ...]]) -> RunView:
    return RunView(
        run_id=row.run_id,
        workflow=row.workflow,
        status=row.status,
        cause=row.cause,
        caused_by=row.caused_by,
        due_at=row.due_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        counts=row.counts or {},
        error=row.error,
        position=row.position,
    )
