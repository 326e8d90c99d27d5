"""Performs one run of a workflow: once, never beside another run of the same workflow, told by events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

import msgspec

from application.ports import AppendRequest, Clock, EventLog, NewEvent
from application.workflows.ports import Locks
from domain.kernel.errors import AiosError, Unavailable
from domain.kernel.events import Event
from domain.workflows.catalogue import WorkflowDefinition
from domain.workflows.events import RunFinished, RunStarted, RunStatus
from domain.workflows.runs import run_stream

logger = logging.getLogger(__name__)


class WorkflowRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run, as its handler sees it.

    `due_at` is the slot, or the time of the request. `effect_id` is the same each time the run is begun:
    events appended with the command id `run.step("...")` are stored once, however often the step is done.
    """

    run_id: str
    tenant: str
    definition: WorkflowDefinition
    due_at: datetime
    correlation: str
    effect_id: str

    def step(self, name: str) -> str:
        """Return the command id of one step of this run."""
        return f"{self.effect_id}.{name}"


WorkflowHandler = Callable[[WorkflowRun], Awaitable[Mapping[str, int]]]


@dataclass(frozen=True)
class RunPorts:
    """What performing a run needs."""

    log: EventLog
    locks: Locks
    clock: Clock


async def perform(
    run: WorkflowRun, handler: WorkflowHandler, ports: RunPorts, *, last_attempt: bool = True
) -> None:
    """Perform a run and record how it ended; a run that has ended is left alone.

    Raises Unavailable when it should be tried again later, which the last attempt never does for what its
    handler raises.
    """
    started, finished = await _history(run, ports.log)
    if finished:
        return
    async with AsyncExitStack() as stack:
        name = f"workflow:{run.tenant}/{run.definition.name}"
        if not await stack.enter_async_context(ports.locks.try_hold(name)):
            if started and not last_attempt:
                raise Unavailable("workflow", f"another run of '{run.definition.name}' is going", 5.0)
            await _finish(run, ports, "skipped", error="another run of this workflow was still going")
            return
        event = RunStarted(workflow=run.definition.name, run_id=run.run_id, started_at=ports.clock())
        await _append(run, ports, "started", event)
        await _work(run, handler, ports, last_attempt)


async def _work(run: WorkflowRun, handler: WorkflowHandler, ports: RunPorts, last_attempt: bool) -> None:
    counts: Mapping[str, int] = {}
    status: RunStatus = "failed"
    error: str | None = None
    limit = run.definition.time_limit_s
    timer = asyncio.timeout(limit)
    try:
        async with timer:
            counts = await handler(run)
        status = "succeeded"
    except Unavailable as problem:
        if not last_attempt:
            raise
        error = problem.message
    except Exception as problem:
        error = f"not done within {limit:g} s" if timer.expired() else _describe(problem)
        logger.exception("workflow %s: run %s failed", run.definition.name, run.run_id)
    await _finish(run, ports, status, counts=counts, error=error)


def _describe(problem: Exception) -> str:
    """Tell what went wrong; only our own errors have texts that are safe to keep."""
    if isinstance(problem, AiosError):
        return problem.message
    return f"{type(problem).__name__}; the log of the worker tells where"


async def _history(run: WorkflowRun, log: EventLog) -> tuple[bool, bool]:
    started = finished = False
    async for envelope in log.read_stream(run_stream(run.tenant, run.run_id)):
        started = started or isinstance(envelope.event, RunStarted)
        finished = finished or isinstance(envelope.event, RunFinished)
    return started, finished


async def _finish(
    run: WorkflowRun,
    ports: RunPorts,
    status: RunStatus,
    *,
    counts: Mapping[str, int] | None = None,
    error: str | None = None,
) -> None:
    event = RunFinished(
        workflow=run.definition.name,
        run_id=run.run_id,
        status=status,
        finished_at=ports.clock(),
        counts=counts or {},
        error=error,
    )
    await _append(run, ports, "finished", event)


async def _append(run: WorkflowRun, ports: RunPorts, step: str, event: Event) -> None:
    await ports.log.append(
        AppendRequest(
            tenant=run.tenant,
            command_id=run.step(step),
            events=(NewEvent(run_stream(run.tenant, run.run_id), event),),
            correlation=run.correlation,
            actor=f"system/{run.definition.name}",
        )
    )
