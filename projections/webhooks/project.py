"""Folds endpoints and deliveries into lists; a removed endpoint takes its delivery log along."""

from __future__ import annotations

from collections.abc import Iterable

from domain.kernel.events import Envelope
from domain.webhooks.events import DeliveryAttempted, DeliveryRequested, WebhookCreated, WebhookRemoved
from projections.ops import Delete, RowOp, Update, Upsert
from projections.projection import Projection
from projections.webhooks.tables import webhook_deliveries, webhook_endpoints


def webhook_created(envelope: Envelope[WebhookCreated]) -> Iterable[RowOp]:
    """List the endpoint, without its secret."""
    event = envelope.event
    yield Upsert(
        webhook_endpoints,
        {
            "tenant": envelope.tenant,
            "webhook_id": event.webhook_id,
            "url": event.url,
            "events": list(event.event_types),
            "description": event.description,
            "created_at": event.created_at,
            "created_by": envelope.actor,
            "position": envelope.position,
        },
    )


def webhook_removed(envelope: Envelope[WebhookRemoved]) -> Iterable[RowOp]:
    """Forget the endpoint and what was sent to it."""
    where = {"tenant": envelope.tenant, "webhook_id": envelope.event.webhook_id}
    yield Delete(webhook_endpoints, where)
    yield Delete(webhook_deliveries, where)


def delivery_requested(envelope: Envelope[DeliveryRequested]) -> Iterable[RowOp]:
    """List the delivery."""
    event = envelope.event
    yield Upsert(
        webhook_deliveries,
        {
            "tenant": envelope.tenant,
            "message_id": event.message_id,
            "webhook_id": event.webhook_id,
            "event_type": event.event_type,
            "event_position": event.event_position,
            "requested_at": event.requested_at,
            "position": envelope.position,
            "state": "waiting",
            "attempts": 0,
            "last_detail": "",
        },
    )


def delivery_attempted(envelope: Envelope[DeliveryAttempted]) -> Iterable[RowOp]:
    """Keep what came of the last attempt."""
    event = envelope.event
    yield Update(
        webhook_deliveries,
        {"tenant": envelope.tenant, "message_id": event.message_id},
        {
            "state": event.state,
            "attempts": event.number,
            "last_status": event.status,
            "last_outcome": event.outcome,
            "last_detail": event.detail,
            "last_ms": event.duration_ms,
            "last_at": event.attempted_at,
            "next_at": event.next_at,
        },
    )


WEBHOOKS = Projection(
    name="webhooks",
    version=1,
    tables=(webhook_endpoints, webhook_deliveries),
    handlers={
        WebhookCreated: webhook_created,
        WebhookRemoved: webhook_removed,
        DeliveryRequested: delivery_requested,
        DeliveryAttempted: delivery_attempted,
    },
)
