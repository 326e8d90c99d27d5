"""Folds erasures and holds into rows, and operations on memories into an audit log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from domain.kernel.events import Envelope
from domain.memory.access_events import MemoryAccessed
from domain.memory.erasure_events import (
    LegalHoldPlaced,
    LegalHoldReleased,
    MemoriesErased,
    PurgeApproved,
    PurgeCompleted,
    PurgeRejected,
    PurgeRequested,
    PurgeScoped,
    PurgeStarted,
)
from projections.memory.erasure_tables import memory_accesses, memory_erased, memory_holds, memory_purges
from projections.ops import Insert, RowOp, Update, Upsert
from projections.projection import Projection


def purge_requested(envelope: Envelope[PurgeRequested]) -> Iterable[RowOp]:
    """Keep the wish."""
    event = envelope.event
    selection = event.selection
    yield Insert(
        memory_purges,
        {
            "tenant": envelope.tenant,
            "purge_id": event.purge_id,
            "position": envelope.position,
            "status": "awaiting_approval" if event.approval_required else "running",
            "origin": event.origin,
            "subject": selection.subject,
            "category": selection.category,
            "before": selection.before or (selection.expiry.at if selection.expiry else None),
            "reason": event.reason,
            "legal_basis": event.legal_basis,
            "requested_by": event.requested_by,
            "requested_at": event.requested_at,
        },
    )


def purge_approved(envelope: Envelope[PurgeApproved]) -> Iterable[RowOp]:
    """Keep who approved."""
    event = envelope.event
    yield _purge(envelope, {"approved_by": event.approved_by, "approved_at": event.approved_at})


def purge_rejected(envelope: Envelope[PurgeRejected]) -> Iterable[RowOp]:
    """Keep who refused it."""
    event = envelope.event
    values = {"status": "rejected", "rejected_by": event.rejected_by, "rejected_at": event.rejected_at}
    yield _purge(envelope, values)


def purge_started(envelope: Envelope[PurgeStarted]) -> Iterable[RowOp]:
    """It is under way."""
    yield _purge(envelope, {"status": "running"})


def purge_scoped(envelope: Envelope[PurgeScoped]) -> Iterable[RowOp]:
    """Keep what the first round found; later ones are in the result."""
    if envelope.event.round == 1:
        yield _purge(envelope, {"found": envelope.event.found})


def purge_completed(envelope: Envelope[PurgeCompleted]) -> Iterable[RowOp]:
    """Keep the result and its certificate."""
    event = envelope.event
    yield _purge(
        envelope,
        {
            "status": "completed",
            "completed_at": event.completed_at,
            "erased": event.erased,
            "certificate": event.certificate,
        },
    )


def memories_erased(envelope: Envelope[MemoriesErased]) -> Iterable[RowOp]:
    """Remember which erasure took a memory, so that an auditor asking for it can be told."""
    for memory_id in envelope.event.memory_ids:
        yield Upsert(
            memory_erased,
            {"tenant": envelope.tenant, "memory_id": memory_id, "purge_id": envelope.event.purge_id},
        )


def legal_hold_placed(envelope: Envelope[LegalHoldPlaced]) -> Iterable[RowOp]:
    """Keep the hold."""
    event = envelope.event
    yield Insert(
        memory_holds,
        {
            "tenant": envelope.tenant,
            "position": envelope.position,
            **msgspec.structs.asdict(event.hold),
            "reason": event.reason,
            "placed_by": envelope.actor,
            "placed_at": event.placed_at,
        },
    )


def legal_hold_released(envelope: Envelope[LegalHoldReleased]) -> Iterable[RowOp]:
    """Keep its end."""
    event = envelope.event
    yield Update(
        memory_holds,
        {"tenant": envelope.tenant, "hold_id": event.hold_id},
        {"released_by": envelope.actor, "released_at": event.released_at},
    )


def memory_accessed(envelope: Envelope[MemoryAccessed]) -> Iterable[RowOp]:
    """Keep a line for each operation."""
    for number, operation in enumerate(envelope.event.operations):
        yield Insert(
            memory_accesses,
            {
                "tenant": envelope.tenant,
                "position": envelope.position,
                "number": number,
                **msgspec.structs.asdict(operation),
            },
        )


def _purge(envelope: Envelope[Any], values: Mapping[str, Any]) -> Update:
    return Update(memory_purges, {"tenant": envelope.tenant, "purge_id": envelope.event.purge_id}, values)


MEMORY_ERASURES = Projection(
    name="memory_erasures",
    version=2,
    tables=(memory_purges, memory_holds, memory_erased),
    handlers={
        PurgeRequested: purge_requested,
        PurgeApproved: purge_approved,
        PurgeRejected: purge_rejected,
        PurgeStarted: purge_started,
        PurgeScoped: purge_scoped,
        PurgeCompleted: purge_completed,
        MemoriesErased: memories_erased,
        LegalHoldPlaced: legal_hold_placed,
        LegalHoldReleased: legal_hold_released,
    },
)
MEMORY_AUDIT = Projection(
    name="memory_audit", version=1, tables=(memory_accesses,), handlers={MemoryAccessed: memory_accessed}
)
