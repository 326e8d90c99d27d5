"""What memory's commands answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from domain.kernel.pii import ScrubMode
from domain.memory.events import MemoryDetails, Origin, Remembered
from domain.memory.policy import ComplianceMode, EffectivePolicy, MemoryRules, expiry

Outcome = Literal["added", "updated", "merged"]


class MemoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A memory as it is now. `id` and `memory_id` are the same.

    `expires_at` is when it ends: `occurred_at` plus the shorter time to live; null for never. `scrubbed`
    counts by kind what was taken out before it was stored.
    """

    id: str
    memory_id: str
    content: str
    category: str
    subject_id: str | None
    user_id: str | None
    agent_id: str | None
    session_id: str | None
    metadata: Mapping[str, Any]
    occurred_at: datetime
    created_at: datetime
    updated_at: datetime
    ttl_days: int | None
    expires_at: datetime | None
    scrubbed: Mapping[str, int]
    origin: Origin
    outcome: Outcome = "added"


class MemoriesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Memories in the order in which they were given."""

    items: tuple[MemoryAnswer, ...]


class MemoryGone(msgspec.Struct, frozen=True, kw_only=True):
    """The id of a memory that was deleted."""

    id: str
    memory_id: str
    deleted: bool = True


class MemoryPolicyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The rules as they were set, and `effective`: what holds now for the category, nothing left open.

    `category` null: the default for every category without rules of its own.
    """

    category: str | None
    version: int
    set_by: str
    set_at: datetime
    ttl_days: int | None
    pii_scrubbing: bool | None
    pii_entities: tuple[str, ...] | None
    pii_mode: ScrubMode | None
    compliance_mode: ComplianceMode | None
    effective: EffectivePolicy

    @classmethod
    def of(
        cls,
        category: str | None,
        version: int,
        rules: MemoryRules,
        effective: EffectivePolicy,
        *,
        set_by: str,
        set_at: datetime,
    ) -> MemoryPolicyAnswer:
        """Return a version of the rules with what they come to."""
        return cls(
            category=category,
            version=version,
            set_by=set_by,
            set_at=set_at,
            effective=effective,
            **msgspec.structs.asdict(rules),
        )


def memory_answer(
    state: Remembered, content: str, details: MemoryDetails, policy_ttl: int | None, outcome: Outcome
) -> MemoryAnswer:
    """Return what a client sees of a memory."""
    return MemoryAnswer(
        id=state.memory_id,
        memory_id=state.memory_id,
        content=content,
        category=state.category,
        subject_id=details.subject_id,
        user_id=details.user_id,
        agent_id=details.agent_id,
        session_id=details.session_id,
        metadata=details.metadata,
        occurred_at=state.occurred_at,
        created_at=state.added_at,
        updated_at=state.changed_at,
        ttl_days=state.ttl_days,
        expires_at=expiry(state.occurred_at, state.ttl_days, policy_ttl),
        scrubbed=state.scrubbed,
        origin=state.origin,
        outcome=outcome,
    )
