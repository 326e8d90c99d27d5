"""What the product does by itself on a schedule: settings, runs, and running one now."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router
from litestar.params import JSONBody, PathParameter, QueryParameter

from application.workflows.answers import RunAccepted, WorkflowSettings
from application.workflows.commands import ChangeWorkflow, RunWorkflow, WorkflowChange
from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, Limit
from interfaces.http.request import ApiRequest
from interfaces.http.routing import OPERATORS, READERS, change, create, read
from interfaces.http.writes import written
from projections.workflows import queries
from projections.workflows.queries import RunView, WorkflowView

Name = Annotated[str, PathParameter(name="name", max_length=63, description="As the list names it.")]
OnlyOf = Annotated[
    str | None, QueryParameter(name="workflow", max_length=63, description="Only runs of this workflow.")
]


class WorkflowWritten(WorkflowSettings, frozen=True, kw_only=True):
    """A workflow's settings in force."""

    position: int


class RunQueued(RunAccepted, frozen=True, kw_only=True):
    """A run that a worker will perform."""

    position: int


@read("/workflows", roles=READERS, summary="List workflows", operation_id="listWorkflows")
async def list_workflows(request: ApiRequest) -> Page[WorkflowView]:
    """List every workflow with its settings, its next run and its last one."""
    services = request.services
    async with request.reading() as conn:
        found = await queries.list_workflows(conn, now=services.clock(), timetable_of=services.timetable_of)
    return Page(found)


@change(
    "/workflows/{name:str}",
    roles=OPERATORS,
    fails=(404,),
    summary="Change a workflow",
    operation_id="changeWorkflow",
)
async def change_workflow(
    request: ApiRequest, name: Name, data: JSONBody[WorkflowChange]
) -> Response[WorkflowWritten]:
    """Enable, disable or reschedule a workflow; what is left off stays."""
    return written(WorkflowWritten, await request.dispatch(ChangeWorkflow(name=name, change=data)))


@create(
    "/workflows/{name:str}/run",
    roles=OPERATORS,
    fails=(404,),
    status_code=202,
    summary="Run a workflow now",
    operation_id="runWorkflow",
)
async def run_workflow(request: ApiRequest, name: Name) -> Response[RunQueued]:
    """Queue a run, whether or not the workflow is enabled; `GET /workflows/runs` follows it."""
    return written(RunQueued, await request.dispatch(RunWorkflow(name=name)))


@read("/workflows/runs", roles=READERS, summary="List runs of workflows", operation_id="listWorkflowRuns")
async def list_runs(
    request: ApiRequest, limit: Limit = 50, cursor: Cursor = None, workflow: OnlyOf = None
) -> Page[RunView]:
    """List runs, newest first."""
    before = int(place_of(cursor, "runs", int)[0]) if cursor else None
    await request.services.read_barrier()
    async with request.reading() as conn:
        found = await queries.list_runs(conn, limit=limit + 1, before=before, workflow=workflow)
    return Page.of(found, limit, lambda last: cursor_of("runs", last.position))


router = Router(
    "/", route_handlers=[list_workflows, change_workflow, run_workflow, list_runs], tags=["workflows"]
)
