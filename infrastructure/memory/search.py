"""Searches memories for one API process: embeds the query, asks both channels, fuses, fetches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from application.memory.searching import MemorySearch
from domain.kernel.errors import InvalidInput, Unavailable
from domain.memory.fusion import Fused, Ranking, faded, fuse
from domain.memory.policy import PolicyBook
from infrastructure.embeddings.configured import Embedder
from infrastructure.memory.freshness import Freshness
from infrastructure.memory.recall import Asked, RecallWatch
from projections.memory.answers import ChannelState, Found, MemoryView, SearchResult
from projections.memory.queries import memories_by_id
from projections.memory.search import Vector, by_meaning, by_words, words_of
from projections.memory.statistics import Statistics, TenantStatistics
from projections.memory.visible import MemoryFilters, visible

CANDIDATES = 50
QUERY_PATIENCE_S = 2.0
FIRST_QUERY_PATIENCE_S = 15.0
"""While the model is being loaded."""
Reading = Callable[[str], AbstractAsyncContextManager[AsyncConnection]]


class SearchEngine:
    """Answers searches; what it looks up of tenants is kept for a minute."""

    def __init__(
        self,
        embedder: Embedder,
        reading: Reading,
        system: AsyncEngine,
        freshness: Freshness,
        clock: Callable[[], datetime],
        recall: RecallWatch,
    ) -> None:
        self._embedder = embedder
        self._reading = reading
        self._system = system
        self._freshness = freshness
        self._clock = clock
        self._recall = recall
        self._statistics = Statistics()
        self._patience_s = FIRST_QUERY_PATIENCE_S

    async def search(
        self, tenant: str, search: MemorySearch, filters: MemoryFilters, book: PolicyBook
    ) -> SearchResult:
        """Return the best memories. Raises InvalidInput for a blank query."""
        started = time.perf_counter()
        if not search.query.strip():
            raise InvalidInput.at("/query", "there is nothing to search for; give a text")
        vector, states = await self._prepared(search)
        now = self._clock()
        asked = Asked(tenant, vector, visible(filters, book, now), filters != MemoryFilters())
        async with self._reading(tenant) as conn:
            words = await words_of(conn, search.query)
            statistics = await self._statistics.of(conn, tenant)
            by_text, near = await asyncio.gather(
                self._by_words(asked, words, statistics, search),
                self._by_meaning(conn, asked, statistics, search),
            )
            rankings = {"text": by_text, "vector": near}
            items = await _items(
                conn, fuse({k: v for k, v in rankings.items() if v is not None}), search, book, now
            )
        if vector is not None and statistics.indexed:
            self._recall.notice(asked)
        took_ms = round((time.perf_counter() - started) * 1000, 2)
        return SearchResult(items=items, channels=states, model=self._embedder.model, took_ms=took_ms)

    async def _by_words(
        self, asked: Asked, words: Sequence[str], statistics: TenantStatistics, search: MemorySearch
    ) -> Ranking | None:
        if "text" not in search.channels:
            return None
        async with self._system.connect() as conn:
            limit = max(CANDIDATES, 3 * search.limit)
            return await by_words(conn, asked.tenant, words, statistics, asked.conditions, limit)

    async def _by_meaning(
        self, conn: AsyncConnection, asked: Asked, statistics: TenantStatistics, search: MemorySearch
    ) -> Ranking | None:
        if asked.vector is None:
            return None
        limit = max(CANDIDATES, 3 * search.limit)
        exact = not statistics.indexed
        return await by_meaning(
            conn, asked.tenant, asked.vector, asked.conditions, limit, exact=exact, filtered=asked.filtered
        )

    async def _prepared(self, search: MemorySearch) -> tuple[Vector | None, dict[str, ChannelState]]:
        """Embed the query while the read models catch up."""
        wanted = "vector" in search.channels
        (texts, vectors), vector = await asyncio.gather(
            self._freshness.of_both(vectors=wanted), self._embedded(search.query) if wanted else _none()
        )
        states: dict[str, ChannelState] = {
            "text": "complete" if texts else "catching_up",
            "vector": "complete" if vectors else "catching_up",
        }
        if "text" not in search.channels:
            states["text"] = "off"
        if vector is None:
            states["vector"] = "unavailable" if wanted else "off"
        return vector, states

    async def _embedded(self, query: str) -> Vector | None:
        try:
            written = await asyncio.wait_for(self._embedder.embed_query(query), self._patience_s)
            return Vector(written, self._embedder.model, self._embedder.dimension)
        except (Unavailable, TimeoutError):
            return None
        finally:
            self._patience_s = QUERY_PATIENCE_S


async def _none() -> None:
    return None


async def _items(
    conn: AsyncConnection, fused: Sequence[Fused], search: MemorySearch, book: PolicyBook, now: datetime
) -> list[Found]:
    """Fetch what was found, best first; recency needs all candidates, else the best are enough."""
    half_life = search.recency_half_life_days
    if half_life is None:
        fused = [each for each in fused if each.score >= search.min_score][: search.limit]
    if not fused:
        return []
    views = await memories_by_id(conn, [each.id for each in fused], book)
    found = [_found(views[each.id], each, half_life, now) for each in fused if each.id in views]
    found.sort(key=lambda each: (-each.score, each.id))
    return [each for each in found if each.score >= search.min_score][: search.limit]


def _found(view: MemoryView, fused: Fused, half_life: float | None, now: datetime) -> Found:
    score = fused.score if half_life is None else faded(fused.score, view.occurred_at, now, half_life)
    fields: dict[str, Any] = msgspec.structs.asdict(view)
    return Found(**fields, score=round(score, 6), channels=fused.channels)
