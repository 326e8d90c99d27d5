"""The product's jobs: one for each workflow, and the events that ask for them.

A new workflow needs its entry in `domain.workflows.catalogue` and its handler in the table given here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from application.workflows.running import RunPorts, WorkflowHandler, WorkflowRun, perform
from domain.kernel.events import Envelope
from domain.workflows.catalogue import CATALOGUE, WorkflowDefinition
from domain.workflows.events import RunRequested, TickRecorded
from infrastructure.billing.payment_jobs import ROUTES as PAYMENTS
from infrastructure.jobs import credentials, purges
from infrastructure.jobs.job import Job, JobCall
from infrastructure.jobs.outbox import Routes, merged
from infrastructure.webhooks import jobs as webhooks

WORKFLOW_RETRIES = 5
ROOM_TO_END_S = 30.0


def workflow_job_name(workflow: str) -> str:
    """Return the name of the job that performs runs of a workflow."""
    return f"workflow.{workflow}"


def workflow_jobs(
    handlers: Mapping[str, WorkflowHandler],
    ports: RunPorts,
    catalogue: Mapping[str, WorkflowDefinition] = CATALOGUE,
) -> list[Job]:
    """Return the job of each workflow. Raises ValueError unless each has a handler, and no other is given."""
    if handlers.keys() != catalogue.keys():
        odd = ", ".join(sorted(handlers.keys() ^ catalogue.keys()))
        raise ValueError(f"workflows and handlers do not match: {odd}")
    return [_job(definition, handlers[name], ports) for name, definition in catalogue.items()]


def _job(definition: WorkflowDefinition, handler: WorkflowHandler, ports: RunPorts) -> Job:
    async def handle(call: JobCall) -> None:
        await perform(_run(definition, call), handler, ports, last_attempt=call.last_attempt)

    return Job(
        name=workflow_job_name(definition.name),
        handler=handle,
        time_limit_s=definition.time_limit_s + ROOM_TO_END_S,
        max_retries=WORKFLOW_RETRIES,
    )


def _run(definition: WorkflowDefinition, call: JobCall) -> WorkflowRun:
    event = call.envelope.event
    return WorkflowRun(
        run_id=event.run_id,
        tenant=call.envelope.tenant,
        definition=definition,
        due_at=event.slot if isinstance(event, TickRecorded) else event.requested_at,
        correlation=call.envelope.correlation,
        effect_id=call.ref.effect_id,
    )


def _runs_of(envelope: Envelope[Any]) -> Iterable[str]:
    return (workflow_job_name(envelope.event.workflow),)


ROUTES: Routes = merged(
    {TickRecorded.TYPE: _runs_of, RunRequested.TYPE: _runs_of},
    credentials.ROUTES,
    webhooks.ROUTES,
    purges.ROUTES,
    PAYMENTS,
)
