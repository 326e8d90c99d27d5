"""What a search of memories asks and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from application.memory.commands import Category, ExternalId, Time

LONGEST_QUERY = 4000
MOST_RESULTS = 100


class SearchFilters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which memories are searched; what is left off does not matter.

    `metadata` must be contained in a memory's. `after` and `before` bound `occurred_at`, half-open.
    """

    category: Category | Annotated[tuple[Category, ...], Meta(min_length=1, max_length=50)] | None = None
    subject_id: ExternalId | None = None
    user_id: ExternalId | None = None
    agent_id: ExternalId | None = None
    session_id: ExternalId | None = None
    metadata: Mapping[str, Any] = {}
    after: Time | None = None
    before: Time | None = None


class MemorySearch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question to memory. With `recency_half_life_days` a score halves with every half-life of age.

    `channels`: by meaning (`vector`), by words (`text`), or both, fused by reciprocal rank. What scores less
    than `min_score` is left out. `purpose` is noted in the audit log.
    """

    query: Annotated[str, Meta(min_length=1, max_length=LONGEST_QUERY)]
    limit: Annotated[int, Meta(ge=1, le=MOST_RESULTS)] = 10
    filters: SearchFilters | None = None
    channels: Annotated[tuple[Literal["vector", "text"], ...], Meta(min_length=1, max_length=2)] = (
        "vector",
        "text",
    )
    recency_half_life_days: Annotated[float, Meta(gt=0, le=36_500)] | None = None
    min_score: Annotated[float, Meta(ge=0, le=1)] = 0.0
    purpose: Annotated[str, Meta(max_length=200)] | None = None

    def __repr__(self) -> str:
        return f"MemorySearch(limit {self.limit})"
