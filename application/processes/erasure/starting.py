"""Starts erasures that nobody asks for over HTTP: what is over, and what a restored log does not know."""

from __future__ import annotations

from datetime import datetime

import msgspec

from application.ports import AppendRequest, EventLog, NewEvent
from domain.kernel.aggregate import Recorded, stream_id
from domain.memory.erasure_events import Origin
from domain.memory.purge import Purge
from domain.memory.retention import ENTITY, Retention
from domain.memory.selection import Selection


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure to start. `decided_before`: it was carried out once already, so no hold can stop it."""

    tenant: str
    purge_id: str
    selection: Selection
    reason: str
    origin: Origin
    actor: str
    at: datetime
    command_id: str
    legal_basis: str | None = None
    decided_before: bool = False


async def start(log: EventLog, wish: Start) -> None:
    """Start an erasure unless it has begun. Raises Conflict for what a hold protects, VersionConflict."""
    purge = await log.load(Purge, stream_id(wish.tenant, Purge.KIND, wish.purge_id))
    retention = await log.load(Retention, stream_id(wish.tenant, Retention.KIND, ENTITY))
    if purge.status == "awaiting_approval":
        purge.approve(wish.purge_id, wish.actor, wish.at)
    purge.request(
        wish.purge_id,
        wish.selection,
        wish.reason,
        wish.actor,
        wish.at,
        legal_basis=wish.legal_basis,
        origin=wish.origin,
    )
    if purge.status == "running":
        retention.tombstone(wish.purge_id, purge.selection, wish.at, decided_before=wish.decided_before)
    events = tuple(
        NewEvent(event.originator_id, event.payload, event.originator_version - 1)
        for aggregate in (purge, retention)
        for event in aggregate.collect_events()
        if isinstance(event, Recorded)
    )
    if events:
        await log.append(
            AppendRequest(wish.tenant, wish.command_id, events, correlation=wish.purge_id, actor=wish.actor)
        )
