"""Folds memory events into one row a memory, for reading and full text, and another for its vector."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from domain.kernel.events import Envelope
from domain.kernel.personal import Erased, month_bucket
from domain.memory.erasure_events import MemoriesErased
from domain.memory.events import (
    MemoryAdded,
    MemoryDeleted,
    MemoryDetails,
    MemoryRekeyed,
    MemoryUpdated,
    RecallMeasured,
    Remembered,
)
from domain.memory.policy_events import MemoryPolicySet
from projections.memory.tables import (
    DEFAULT_CATEGORY,
    memories,
    memory_policies,
    memory_recall,
)
from projections.ops import Delete, Insert, RowOp, Upsert
from projections.projection import Projection


def remembered(envelope: Envelope[Remembered]) -> Iterable[RowOp]:
    """Keep the memory as the event tells it; once its key is gone, there is nothing to keep."""
    event = envelope.event
    details = event.details or MemoryDetails()
    if isinstance(event.content, Erased) or isinstance(details, Erased):
        yield Delete(memories, {"tenant": envelope.tenant, "memory_id": event.memory_id})
        return
    yield Upsert(
        memories,
        {
            "tenant": envelope.tenant,
            "memory_id": event.memory_id,
            "position": getattr(event, "original", None) or envelope.position,
            "subject": event.subject,
            "category": event.category,
            "subject_id": details.subject_id,
            "user_id": details.user_id,
            "agent_id": details.agent_id,
            "session_id": details.session_id,
            "content": event.content or "",
            "metadata": details.metadata,
            "occurred_at": event.occurred_at,
            "added_at": event.added_at,
            "changed_at": event.changed_at,
            "ttl_days": event.ttl_days,
            "bucket": event.bucket or month_bucket(event.occurred_at),
            "origin": event.origin,
            "confined": event.confined,
            "scrubbed": event.scrubbed,
            "request_id": event.request_id,
        },
    )


def memory_deleted(envelope: Envelope[MemoryDeleted]) -> Iterable[RowOp]:
    """Remove the memory."""
    yield Delete(memories, {"tenant": envelope.tenant, "memory_id": envelope.event.memory_id})


def memories_erased(envelope: Envelope[MemoriesErased]) -> Iterable[RowOp]:
    """Remove what an erasure took."""
    for memory_id in envelope.event.memory_ids:
        yield Delete(memories, {"tenant": envelope.tenant, "memory_id": memory_id})


def memory_policy_set(envelope: Envelope[MemoryPolicySet]) -> Iterable[RowOp]:
    """Keep the version."""
    event = envelope.event
    yield Insert(
        memory_policies,
        {
            "tenant": envelope.tenant,
            "category": event.category or DEFAULT_CATEGORY,
            "version": event.version,
            "set_by": envelope.actor,
            "set_at": event.set_at,
            "position": envelope.position,
            "rules": event.rules,
        },
    )


def recall_measured(envelope: Envelope[RecallMeasured]) -> Iterable[RowOp]:
    """Keep the measurement."""
    measured = msgspec.structs.asdict(envelope.event)
    yield Insert(memory_recall, {"tenant": envelope.tenant, "position": envelope.position, **measured})


MEMORIES = Projection(
    name="memories",
    version=1,
    tables=(memories,),
    handlers={
        MemoryAdded: remembered,
        MemoryUpdated: remembered,
        MemoryRekeyed: remembered,
        MemoryDeleted: memory_deleted,
        MemoriesErased: memories_erased,
    },
)
MEMORY_POLICIES = Projection(
    name="memory_policies",
    version=1,
    tables=(memory_policies,),
    handlers={MemoryPolicySet: memory_policy_set},
)
MEMORY_RECALL = Projection(
    name="memory_recall",
    version=1,
    tables=(memory_recall,),
    handlers={RecallMeasured: recall_measured},
)
