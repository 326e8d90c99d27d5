"""Reads endpoints and their delivery log; the only reader of their tables."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.webhooks.events import State
from projections.webhooks.tables import webhook_deliveries, webhook_endpoints

_e = webhook_endpoints.c
_d = webhook_deliveries.c


class WebhookView(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint; its secret is never shown again."""

    webhook_id: str
    url: str
    events: list[str]
    description: str
    created_at: datetime
    created_by: str


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one endpoint, and what came of the last attempt; `message_id` is its `webhook-id`."""

    message_id: str
    webhook_id: str
    event_type: str
    event_position: int
    requested_at: datetime
    state: State
    attempts: int
    last_status: int | None
    last_outcome: str | None
    last_detail: str
    last_ms: int | None
    last_at: datetime | None
    next_at: datetime | None
    position: int


async def list_webhooks(conn: AsyncConnection) -> list[WebhookView]:
    """Return the tenant's endpoints, oldest first."""
    columns = (_e[name] for name in WebhookView.__struct_fields__)
    rows = await conn.execute(select(*columns).order_by(_e.position))
    return [WebhookView(**row) for row in rows.mappings()]


async def has_webhook(conn: AsyncConnection, webhook_id: str) -> bool:
    """Tell whether the tenant has such an endpoint."""
    rows = await conn.execute(select(_e.webhook_id).where(_e.webhook_id == webhook_id))
    return rows.first() is not None


async def list_deliveries(
    conn: AsyncConnection, webhook_id: str, *, limit: int, before: int | None = None
) -> list[DeliveryView]:
    """Return what was sent or is to be sent to an endpoint, newest first, below position `before`."""
    columns = (_d[name] for name in DeliveryView.__struct_fields__)
    query = select(*columns).where(_d.webhook_id == webhook_id)
    if before is not None:
        query = query.where(_d.position < before)
    rows = await conn.execute(query.order_by(_d.position.desc()).limit(limit))
    return [DeliveryView(**row) for row in rows.mappings()]
