"""The job that keeps hosted copies of memories: asked for by their events where a service is set up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from application.memory.hosted import HostedMemory, mirror
from application.ports import EventLog
from domain.kernel.events import Envelope
from domain.memory.events import MemoryAdded, MemoryDeleted, MemoryUpdated
from infrastructure.jobs.job import Job, JobCall
from infrastructure.jobs.outbox import Routes
from infrastructure.memory.mem0 import HostedMem0
from infrastructure.settings import Settings

NAME = "mirror-memory"


def hosted_memory(settings: Settings) -> HostedMemory | None:
    """Return the hosted service, None when none is set up."""
    if not settings.mem0_hosted or settings.mem0_api_key is None:
        return None
    return HostedMem0(settings.mem0_api_key, settings.data_dir / "cache" / "mem0", settings.mem0_base_url)


def mirror_jobs(settings: Settings, log: EventLog) -> list[Job]:
    """Return the job; without a hosted service it does nothing, should an old message still ask for it."""
    hosted = hosted_memory(settings)

    async def handle(call: JobCall) -> None:
        if hosted is not None:
            event = call.envelope.event
            await mirror(log, hosted, call.envelope.tenant, event.memory_id, event.subject)

    return [Job(name=NAME, handler=handle, max_retries=20)]


def mirror_routes(settings: Settings) -> Routes:
    """Return which events ask for the job: none without a hosted service."""
    types = (MemoryAdded, MemoryUpdated, MemoryDeleted) if settings.mem0_hosted else ()
    return {cls.TYPE: _wanted for cls in types}


def _wanted(_envelope: Envelope[Any]) -> Iterable[str]:
    return (NAME,)
