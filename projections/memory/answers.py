"""What readers of memories are told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from domain.memory.events import Origin
from domain.memory.fusion import Placed

ChannelState = Literal["complete", "catching_up", "unavailable", "off"]


class MemoryView(msgspec.Struct, frozen=True, kw_only=True):
    """A memory as it is now. `id` and `memory_id` are the same; `expires_at` null: it does not end.

    `scrubbed` counts by kind what was taken out before it was stored; `request_id` is the gateway request
    from whose answer it was extracted.
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
    request_id: str | None
    position: int


class VectorHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How many memories have a vector of which model, and how well the index found what exact search finds.

    `recall_at_10` is over the newest measurements (at most 100), null when none was made: small tenants are
    searched exactly.
    """

    memories: int
    vectors: int
    models: Mapping[str, int]
    recall_at_10: float | None
    measurements: int
    index_ms: float | None
    exact_ms: float | None


class Found(MemoryView, frozen=True, kw_only=True):
    """A memory with its score, from 0 to 1, and where each channel ranked it."""

    score: float
    channels: Mapping[str, Placed]


class SearchResult(msgspec.Struct, frozen=True, kw_only=True):
    """The best memories first. `channels` tells what was searched: `catching_up` when the newest memories
    have no vectors yet, `unavailable` when no model answered, `off` when it was not asked for."""

    items: list[Found]
    channels: Mapping[str, ChannelState]
    model: str
    took_ms: float
