"""What happens to workflows: their settings, their ticks and requests, their runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal

from domain.kernel.events import Event

RunStatus = Literal["succeeded", "failed", "skipped"]


class WorkflowConfigured(Event, frozen=True, kw_only=True):
    """A workflow's settings changed; it holds all of them. Neither interval nor cron: as it is built."""

    TYPE: ClassVar[str] = "workflows.workflow_configured"

    workflow: str
    enabled: bool
    interval_s: int | None
    cron: str | None
    configured_at: datetime


class TickRecorded(Event, frozen=True, kw_only=True):
    """A slot of a workflow's schedule came, and with it a run; one event a slot, however many schedulers."""

    TYPE: ClassVar[str] = "workflows.tick_recorded"

    workflow: str
    run_id: str
    slot: datetime


class RunRequested(Event, frozen=True, kw_only=True):
    """Somebody asked for a run outside the schedule."""

    TYPE: ClassVar[str] = "workflows.run_requested"

    workflow: str
    run_id: str
    requested_at: datetime


class RunStarted(Event, frozen=True, kw_only=True):
    """A worker began with a run; once a run, even when a second worker had to begin anew."""

    TYPE: ClassVar[str] = "workflows.run_started"

    workflow: str
    run_id: str
    started_at: datetime


class RunFinished(Event, frozen=True, kw_only=True):
    """A run ended. `counts` is what it did, by the workflow's own words; `error` holds no personal data."""

    TYPE: ClassVar[str] = "workflows.run_finished"

    workflow: str
    run_id: str
    status: RunStatus
    finished_at: datetime
    counts: Mapping[str, int] = {}
    error: str | None = None


EVENTS: tuple[type[Event], ...] = (WorkflowConfigured, TickRecorded, RunRequested, RunStarted, RunFinished)
