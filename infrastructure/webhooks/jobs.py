"""The two jobs of webhooks: announce an event to the endpoints that want it, and deliver to one of them."""

from __future__ import annotations

from collections.abc import Sequence

from application.ports import Clock, EventLog
from application.processes.webhooks import OFFERED, body_of
from application.webhooks.delivering import Deliveries, EventAt
from application.webhooks.ports import Sender
from domain.webhooks.delivery import PAUSES_S
from domain.webhooks.events import DeliveryRequested
from infrastructure.jobs.job import Job, JobCall, Postponed
from infrastructure.jobs.outbox import Routes

ANNOUNCE = "webhooks.announce"
DELIVER = "webhooks.deliver"
DELIVER_WITHIN_S = 60.0


def webhook_jobs(
    log: EventLog, event_at: EventAt, sender: Sender, clock: Clock, pauses: Sequence[float] = PAUSES_S
) -> list[Job]:
    """Return both jobs; what is due later comes again when it is."""
    deliveries = Deliveries(log, event_at, body_of, sender, clock, pauses)

    async def announce(call: JobCall) -> None:
        await deliveries.announce(call.envelope)

    async def deliver(call: JobCall) -> None:
        due = await deliveries.attempt(call.envelope)
        if due is not None:
            raise Postponed(due)

    return [
        Job(name=ANNOUNCE, handler=announce),
        Job(name=DELIVER, handler=deliver, time_limit_s=DELIVER_WITHIN_S),
    ]


ROUTES: Routes = {
    **{name: lambda _event: (ANNOUNCE,) for name in OFFERED},
    DeliveryRequested.TYPE: lambda _event: (DELIVER,),
}
