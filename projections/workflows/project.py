"""Folds workflow events into settings and runs; a run goes queued, running, then as it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from domain.kernel.events import Envelope, Event
from domain.workflows.events import RunFinished, RunRequested, RunStarted, TickRecorded, WorkflowConfigured
from projections.ops import Insert, RowOp, Update, Upsert
from projections.projection import Handler, Projection
from projections.workflows.tables import workflow_runs, workflow_settings


def workflow_configured(envelope: Envelope[WorkflowConfigured]) -> Iterable[RowOp]:
    """Keep the settings in force."""
    event = envelope.event
    yield Upsert(
        workflow_settings,
        {
            "tenant": envelope.tenant,
            "workflow": event.workflow,
            "enabled": event.enabled,
            "interval_s": event.interval_s,
            "cron": event.cron,
            "changed_at": event.configured_at,
            "changed_by": envelope.actor,
        },
    )


def tick_recorded(envelope: Envelope[TickRecorded]) -> Iterable[RowOp]:
    """Queue the run of a slot."""
    yield _queued(envelope, "schedule", envelope.event.slot)


def run_requested(envelope: Envelope[RunRequested]) -> Iterable[RowOp]:
    """Queue the run that somebody asked for."""
    yield _queued(envelope, "request", envelope.event.requested_at)


def run_started(envelope: Envelope[RunStarted]) -> Iterable[RowOp]:
    """Show the run as running."""
    event = envelope.event
    yield Update(workflow_runs, _key(envelope), {"status": "running", "started_at": event.started_at})


def run_finished(envelope: Envelope[RunFinished]) -> Iterable[RowOp]:
    """Show how the run ended."""
    event = envelope.event
    outcome = {
        "status": event.status,
        "finished_at": event.finished_at,
        "counts": event.counts,
        "error": event.error,
    }
    yield Update(workflow_runs, _key(envelope), outcome)


def _queued(envelope: Envelope[Any], cause: str, due_at: datetime) -> RowOp:
    row = {
        "workflow": envelope.event.workflow,
        "position": envelope.position,
        "cause": cause,
        "caused_by": envelope.actor,
        "due_at": due_at,
        "status": "queued",
    }
    return Insert(workflow_runs, {**_key(envelope), **row})


def _key(envelope: Envelope[Any]) -> Mapping[str, str]:
    return {"tenant": envelope.tenant, "run_id": envelope.event.run_id}


HANDLERS: Mapping[type[Event], Handler] = {
    WorkflowConfigured: workflow_configured,
    TickRecorded: tick_recorded,
    RunRequested: run_requested,
    RunStarted: run_started,
    RunFinished: run_finished,
}

WORKFLOWS = Projection(
    name="workflows", version=1, tables=(workflow_settings, workflow_runs), handlers=HANDLERS
)
