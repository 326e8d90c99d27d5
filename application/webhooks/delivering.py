"""Tells endpoints of events: one delivery an endpoint, attempted until it arrives or is given up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from application.ports import AppendRequest, Clock, EventLog, NewEvent
from application.webhooks.ports import Sender
from application.webhooks.signing import headers_of
from domain.kernel.aggregate import stream_id
from domain.kernel.events import Envelope
from domain.webhooks.delivery import PAUSES_S, Answer, Delivery
from domain.webhooks.endpoints import ENTITY, Webhooks
from domain.webhooks.events import DeliveryRequested

_MESSAGES = UUID("0b5a9f0e-6a44-5e0c-9d53-8f2f3c4c7a10")
ACTOR = "system/webhooks"
EventAt = Callable[[int], Awaitable[Envelope[Any] | None]]
BodyOf = Callable[[Envelope[Any]], bytes]


class Deliveries:
    """Implements both steps; each is harmless when it is repeated, but for a request that is sent again."""

    def __init__(
        self,
        log: EventLog,
        event_at: EventAt,
        body_of: BodyOf,
        sender: Sender,
        clock: Clock,
        pauses: Sequence[float] = PAUSES_S,
    ) -> None:
        self._log = log
        self._event_at = event_at
        self._body_of = body_of
        self._sender = sender
        self._clock = clock
        self._pauses = pauses

    async def announce(self, envelope: Envelope[Any]) -> None:
        """Ask for a delivery to each endpoint that wants the event, once an endpoint."""
        webhooks = await self._webhooks(envelope.tenant)
        for endpoint in webhooks.wanting(envelope.type, envelope.recorded_at):
            message_id = message_id_of(envelope.position, endpoint.webhook_id)
            requested = DeliveryRequested(
                message_id=message_id,
                webhook_id=endpoint.webhook_id,
                event_type=envelope.type,
                event_position=envelope.position,
                requested_at=self._clock(),
            )
            stream = stream_id(envelope.tenant, Delivery.KIND, message_id)
            await self._log.append(
                AppendRequest(
                    tenant=envelope.tenant,
                    command_id=f"webhook/{message_id}",
                    events=(NewEvent(stream, requested, 0),),
                    correlation=envelope.correlation,
                    actor=ACTOR,
                )
            )

    async def attempt(self, envelope: Envelope[DeliveryRequested]) -> datetime | None:
        """Make the next attempt if it is due; return when to come again, None when it is over."""
        stream = stream_id(envelope.tenant, Delivery.KIND, envelope.event.message_id)
        delivery = await self._log.load(Delivery, stream)
        if delivery.state != "waiting":
            return None
        waits = delivery.waits_until(self._clock())
        if waits is not None:
            return waits
        answer = await self._send(envelope)
        event = delivery.attempted(answer, self._clock(), self._pauses)
        await self._log.append(
            AppendRequest(
                tenant=envelope.tenant,
                command_id=f"webhook/{event.message_id}/{event.number}",
                events=(NewEvent(stream, event, delivery.version - 1),),
                correlation=envelope.correlation,
                actor=ACTOR,
            )
        )
        return event.next_at

    async def _send(self, envelope: Envelope[DeliveryRequested]) -> Answer:
        request = envelope.event
        endpoint = (await self._webhooks(envelope.tenant)).endpoints.get(request.webhook_id)
        if endpoint is None or not isinstance(endpoint.secret, str):
            return Answer(outcome="removed", detail="the endpoint was removed")
        told = await self._event_at(request.event_position)
        if told is None:
            return Answer(outcome="removed", detail="the event cannot be read")
        body = self._body_of(told)
        headers = headers_of(endpoint.secret, request.message_id, self._clock(), body)
        return await self._sender.send(endpoint.url, headers, body)

    async def _webhooks(self, tenant: str) -> Webhooks:
        return await self._log.load(Webhooks, stream_id(tenant, Webhooks.KIND, ENTITY))


def message_id_of(position: int, webhook_id: str) -> str:
    """Return the id of an event's message to an endpoint; the same however often it is asked for."""
    return f"msg_{uuid5(_MESSAGES, f'{position}/{webhook_id}').hex}"
