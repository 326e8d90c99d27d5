"""Workflows' use cases: load, decide, save."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import UNSET

from application.bus import Command, Work
from application.ports import NewEvent
from application.workflows.answers import RunAccepted, WorkflowSettings
from application.workflows.commands import ChangeWorkflow, RunWorkflow, WorkflowChange
from application.workflows.ports import WorkflowPorts
from domain.kernel.errors import Forbidden, InvalidInput
from domain.kernel.names import DEFAULT_TENANT
from domain.workflows.catalogue import find
from domain.workflows.events import RunRequested
from domain.workflows.runs import run_of_request, run_stream
from domain.workflows.workflow import Settings, Workflow

WRITERS = ("admin", "operator")


async def change_workflow(command: ChangeWorkflow, work: Work, ports: WorkflowPorts) -> WorkflowSettings:
    """Change a workflow's settings. Raises Forbidden, NotFound, InvalidInput."""
    work.caller.require(*WRITERS)
    definition = find(command.name)
    if definition.scope == "installation" and work.caller.tenant != DEFAULT_TENANT:
        raise Forbidden(
            f"the schedule of '{definition.name}' is the whole installation's; "
            f"only keys of tenant '{DEFAULT_TENANT}' change it"
        )
    workflow = await work.load(Workflow, definition.name)
    settings = _changed(workflow.settings, command.change)
    problem = ports.cron_problem(settings.cron) if settings.cron is not None else None
    if problem:
        raise InvalidInput.at("/cron", f"{problem}; five fields of cron are needed, such as '0 3 * * *'")
    workflow.configure(definition.name, settings, work.at)
    await work.save(workflow)
    built = definition.interval_s if settings.cron is None else None
    return WorkflowSettings(
        name=definition.name,
        enabled=settings.enabled,
        interval_s=settings.interval_s or built,
        cron=settings.cron,
    )


async def run_workflow(command: RunWorkflow, work: Work, _ports: WorkflowPorts) -> RunAccepted:
    """Ask for a run on the tenant's own data (tenant `default`: on what the schedule runs on).

    Raises Forbidden, NotFound.
    """
    work.caller.require(*WRITERS)
    definition = find(command.name)
    tenant = work.caller.tenant
    run_id = run_of_request(tenant, definition.name, work.caller.command_id)
    event = RunRequested(workflow=definition.name, run_id=run_id, requested_at=work.at)
    await work.save(facts=(NewEvent(run_stream(tenant, run_id), event),))
    return RunAccepted(run_id=run_id, workflow=definition.name, requested_at=work.at)


def _changed(settings: Settings, change: WorkflowChange) -> Settings:
    """Return the settings after a change; a new interval ends a cron text and the other way round."""
    interval_s, cron = settings.interval_s, settings.cron
    if change.interval_s is not UNSET:
        interval_s = change.interval_s
        cron = None if interval_s is not None else cron
    if change.cron is not UNSET:
        cron = change.cron
        interval_s = None if cron is not None and change.interval_s is UNSET else interval_s
    return Settings(
        enabled=settings.enabled if change.enabled is UNSET else change.enabled,
        interval_s=interval_s,
        cron=cron,
    )


HANDLERS: Mapping[type[Command], Callable[[Any, Work, WorkflowPorts], Awaitable[Any]]] = {
    ChangeWorkflow: change_workflow,
    RunWorkflow: run_workflow,
}
