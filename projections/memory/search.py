"""Finds memories by meaning and by words: two rankings, to be fused.

By meaning: exactly among a small tenant's vectors, through the HNSW index of a large one's, whose scan goes
on until enough rows pass the filters, and exactly among those it does not hold yet. By words: weights of BM25
(inverse document frequency, saturating term frequency, length) over PostgreSQL's full text; in large tenants
only words that are rare enough are followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Double, cast, func, literal, not_, select, text
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.memory.fusion import Ranking
from projections.memory.halfvec import HALFVEC
from projections.memory.statistics import TenantStatistics
from projections.memory.tables import DIMENSIONS, memories, memory_vectors

MOST_WORDS = 24
MOST_ROWS = 3000
"""So many rows are ranked by words at most."""
MOST_FOLLOWED = 2500
"""Words are followed, rarest first, as long as no more rows than these are to be expected of them."""
EF_SEARCH = 120


class Vector(msgspec.Struct, frozen=True):
    """A query's vector as PostgreSQL reads it, with its model and dimension."""

    written: str
    model: str
    dimension: int


_m, _v = memories.c, memory_vectors.c
_PLANNING = text(
    "SELECT set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true), "
    "set_config('hnsw.ef_search', :ef, true), set_config('hnsw.max_scan_tuples', '60000', true), "
    "set_config('hnsw.iterative_scan', 'strict_order', true), set_config('enable_seqscan', 'off', true), "
    "(SELECT array_agg(lexeme ORDER BY lexeme) FROM unnest(to_tsvector('english', :query))) AS words"
)
PLAINLY = "-c jit=off -c max_parallel_workers_per_gather=0"
"""Connection options for searching by words: workers and compilation take longer to start than it takes."""


async def words_of(conn: AsyncConnection, query: str, limit: int) -> list[str]:
    """Return the lexemes of a query, and settle for this transaction how `by_meaning` is planned.

    `limit` is the largest that will be asked for.
    """
    settings = {"query": query, "ef": str(max(EF_SEARCH, 2 * limit))}
    return list((await conn.execute(_PLANNING, settings)).one().words or ())


async def by_meaning(
    conn: AsyncConnection,
    tenant: str,
    query: Vector,
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
    *,
    exact: bool,
    filtered: bool = True,
) -> Ranking:
    """Return the nearest memories by cosine similarity.

    Unless `exact`, vectors that are in the index are found through it (after `words_of`), and compared one by
    one only those that are not yet. Without `filtered` the conditions leave out few rows, and are looked at
    last.
    """
    if exact or query.dimension not in DIMENSIONS:
        return await _compared(conn, tenant, query, conditions, limit, [], filtered=filtered)
    pending = await _compared(conn, tenant, query, conditions, limit, [not_(_v.indexed)], filtered=filtered)
    # The index is on the cast and on rows with these very literals; without them it cannot be chosen.
    distance = _distance(cast(_v.embedding, HALFVEC(query.dimension)), query)
    meant = [_v.tenant == tenant, _v.model == query.model, text(f"dimension = {query.dimension} AND indexed")]
    through = await _joined(conn, distance, meant, conditions, limit)
    return sorted([*through, *pending], key=lambda found: -found[1])[:limit]


async def _compared(
    conn: AsyncConnection,
    tenant: str,
    query: Vector,
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
    which: list[ColumnElement[bool]],
    *,
    filtered: bool,
) -> Ranking:
    """Compare vectors one by one: all those that pass, or first the nearest ones of all."""
    distance = _distance(_v.embedding, query)
    meant = [_v.tenant == tenant, _v.model == query.model, _v.dimension == query.dimension, *which]
    if not filtered:
        most = 2 * limit
        nearest = (
            select(_v.memory_id, distance.label("distance")).where(*meant).order_by(distance).limit(most)
        )
        rows = (await conn.execute(nearest)).all()
        alive = select(_m.memory_id).where(
            _m.tenant == tenant, _m.memory_id.in_([row.memory_id for row in rows]), *conditions
        )
        kept = {row.memory_id for row in await conn.execute(alive)} if rows else set()
        if len(kept) >= limit or len(rows) < most:
            return [(row.memory_id, 1 - row.distance) for row in rows if row.memory_id in kept][:limit]
    return await _joined(conn, distance, meant, conditions, limit)


async def _joined(
    conn: AsyncConnection,
    distance: ColumnElement[float],
    meant: Sequence[Any],
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
) -> Ranking:
    found = (
        select(_v.memory_id, (1 - distance).label("similarity"))
        .join(memories, (_m.tenant == _v.tenant) & (_m.memory_id == _v.memory_id))
        .where(*meant, *conditions)
        .order_by(distance)
        .limit(limit)
    )
    return [(row.memory_id, row.similarity) for row in await conn.execute(found)]


def _distance(column: ColumnElement[Any], query: Vector) -> ColumnElement[float]:
    return column.op("<=>", return_type=Double())(cast(literal(query.written), HALFVEC(query.dimension)))


async def by_words(
    conn: AsyncConnection,
    tenant: str,
    lexemes: Sequence[str],
    statistics: TenantStatistics,
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
) -> Ranking:
    """Return the memories that hold words of a query, those with more and rarer ones first.

    `conn` must be one of a role that sees every tenant: under row-level security PostgreSQL uses no index for
    `@@`, since that operator may leak. Ids are all that comes back; texts are read under row-level security.
    """
    words = sorted(lexemes, key=statistics.share)[:MOST_WORDS]
    if not words:
        return []
    terms = [(cast(literal(quoted(word)), TSQUERY), statistics.weight(word)) for word in words]
    followed = literal(tsquery(words, statistics))
    rows = (
        select(_m.memory_id, _m.words, _m.occurred_at)
        .where(_m.tenant == tenant, _m.words.op("@@")(cast(followed, TSQUERY)), *conditions)
        .limit(MOST_ROWS)
        .subquery()
    )
    score = sum(
        (weight * func.ts_rank(rows.c.words, term, 1) for term, weight in terms[1:]),
        start=terms[0][1] * func.ts_rank(rows.c.words, terms[0][0], 1),
    )
    ranked = (
        select(rows.c.memory_id, score.label("score"))
        .order_by(score.desc(), rows.c.occurred_at.desc(), rows.c.memory_id)
        .limit(limit)
    )
    return [(row.memory_id, row.score) for row in await conn.execute(ranked)]


def tsquery(words: Sequence[str], statistics: TenantStatistics) -> str:
    """Return the query that finds the rows to rank: any of the words, in a large tenant any rare one.

    `words` are rarest first. The conjunction of all of them is followed in any case.
    """
    followed: list[str] = []
    expected = 0.0
    for word in words:
        expected += statistics.share(word) * statistics.memories
        if followed and expected > MOST_FOLLOWED:
            break
        followed.append(quoted(word))
    if len(followed) == len(words):
        return " | ".join(followed)
    return f"{' | '.join(followed)} | ({' & '.join(quoted(word) for word in words)})"


def quoted(word: str) -> str:
    """Return a lexeme as it stands in a tsquery."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
