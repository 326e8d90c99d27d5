"""Destroys the data keys of credentials and secrets that are no longer used: the log opens them no more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from domain.kernel.events import Envelope
from domain.orchestration.events import ProviderRegistered, ProviderRemoved
from domain.webhooks.events import WebhookRemoved
from infrastructure.jobs.job import Job, JobCall
from infrastructure.jobs.outbox import Routes
from infrastructure.keyring.shredder import Shredder

NAME = "destroy-credentials"
CATEGORY = "credential"


def credentials_job(shredder: Shredder) -> Job:
    """Return the job; doing it twice destroys nothing more."""

    async def handle(call: JobCall) -> None:
        await shredder.destroy_subjects(call.envelope.tenant, call.envelope.event.retired, CATEGORY)

    return Job(name=NAME, handler=handle)


def _wanted(envelope: Envelope[Any]) -> Iterable[str]:
    return (NAME,) if envelope.event.retired else ()


ROUTES: Routes = {
    ProviderRegistered.TYPE: _wanted,
    ProviderRemoved.TYPE: _wanted,
    WebhookRemoved.TYPE: _wanted,
}
