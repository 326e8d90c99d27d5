"""Reads memories by id and as lists; with `search`, the only reader of their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.memory.policy import PolicyBook, expiry
from projections.memory.answers import MemoryView, VectorHealth
from projections.memory.tables import memories, memory_recall, memory_vectors
from projections.memory.visible import MemoryFilters, visible

_m = memories.c
Place = tuple[datetime, str]


async def get_memory(
    conn: AsyncConnection, memory_id: str, book: PolicyBook, now: datetime
) -> MemoryView | None:
    """Return a memory of the connection's tenant, None when there is none or it has ended."""
    query = select(memories).where(_m.memory_id == memory_id, *visible(MemoryFilters(), book, now))
    row = (await conn.execute(query)).mappings().first()
    return None if row is None else view_of(row, book)


async def list_memories(
    conn: AsyncConnection,
    filters: MemoryFilters,
    book: PolicyBook,
    now: datetime,
    *,
    limit: int,
    after: Place | None = None,
) -> list[MemoryView]:
    """Return memories, newest first by `occurred_at`, those behind a place."""
    order = (_m.occurred_at, _m.memory_id)
    query = select(memories).where(*visible(filters, book, now))
    if after is not None:
        query = query.where(tuple_(*order) < tuple_(*after))
    query = query.order_by(*(column.desc() for column in order)).limit(limit)
    return [view_of(row, book) for row in (await conn.execute(query)).mappings()]


async def memories_by_id(
    conn: AsyncConnection, ids: Sequence[str], book: PolicyBook
) -> dict[str, MemoryView]:
    """Return memories by their ids; those that are gone are left out."""
    query = select(memories).where(_m.memory_id.in_(ids))
    return {row["memory_id"]: view_of(row, book) for row in (await conn.execute(query)).mappings()}


async def same_words(
    conn: AsyncConnection, subject: str, category: str, texts: Sequence[str]
) -> dict[str, str]:
    """Return the id of a memory of one person and category by each of some texts, without regard to case."""
    words = func.lower(func.btrim(_m.content))
    query = select(words, _m.memory_id).where(
        _m.subject == subject, _m.category == category, words.in_([text.strip().lower() for text in texts])
    )
    return {row[0]: row[1] for row in await conn.execute(query)}


async def vector_health(conn: AsyncConnection) -> VectorHealth:
    """Return how the vectors of the connection's tenant are doing."""
    total = (await conn.execute(select(func.count()).select_from(memories))).scalar_one()
    by_model = select(memory_vectors.c.model, func.count()).group_by(memory_vectors.c.model)
    models = {row[0]: row[1] for row in await conn.execute(by_model)}
    newest = select(memory_recall).order_by(memory_recall.c.position.desc()).limit(100).subquery()
    sums = select(
        func.count(),
        func.sum(newest.c.found),
        func.sum(newest.c.expected),
        func.avg(newest.c.index_ms),
        func.avg(newest.c.exact_ms),
    ).select_from(newest)
    count, found, expected, index_ms, exact_ms = (await conn.execute(sums)).one()
    return VectorHealth(
        memories=total,
        vectors=sum(models.values()),
        models=models,
        recall_at_10=found / expected if expected else None,
        measurements=count,
        index_ms=index_ms,
        exact_ms=exact_ms,
    )


def view_of(row: Mapping[Any, Any], book: PolicyBook) -> MemoryView:
    """Return what a reader sees of a row."""
    return MemoryView(
        id=row["memory_id"],
        created_at=row["added_at"],
        updated_at=row["changed_at"],
        expires_at=expiry(row["occurred_at"], row["ttl_days"], book.of(row["category"]).ttl_days),
        **{name: row[name] for name in _SAME},
    )


_SAME = tuple(
    name
    for name in MemoryView.__struct_fields__
    if name not in {"id", "created_at", "updated_at", "expires_at"}
)
