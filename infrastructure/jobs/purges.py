"""Carries out purges in the background, from where a worker that died left them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from domain.kernel.events import Envelope
from domain.memory.erasure_events import PurgeStarted
from infrastructure.erasure.desk import ErasureDesk
from infrastructure.jobs.job import Job, JobCall
from infrastructure.jobs.outbox import Routes

NAME = "purge"
LONGEST_S = 3600.0
RETRIES = 1000


def purge_job(desk: ErasureDesk) -> Job:
    """Return the job; a purge that is completed is left alone."""

    async def handle(call: JobCall) -> None:
        await desk.run(call.envelope.tenant, call.envelope.event.purge_id)

    return Job(name=NAME, handler=handle, time_limit_s=LONGEST_S, max_retries=RETRIES, longest_pause_s=10.0)


def _wanted(_envelope: Envelope[Any]) -> Iterable[str]:
    return (NAME,)


ROUTES: Routes = {PurgeStarted.TYPE: _wanted}
