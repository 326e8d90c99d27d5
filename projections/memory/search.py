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
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Double,
    Select,
    cast,
    func,
    literal,
    not_,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.memory.fusion import Ranking
from projections.memory.halfvec import HALFVEC
from projections.memory.statistics import TenantStatistics
from projections.memory.tables import DIMENSIONS, memories, memory_vectors

MOST_WORDS = 24
MOST_ROWS = 1500
"""So many rows are ranked by words at most."""
MOST_FOLLOWED = 1000
"""Words are followed, rarest first, as long as no more rows than these are to be expected of them."""
EF_SEARCH = 100


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
    which = _one_by_one(tenant, query, exact=exact)
    if not filtered:
        nearest = _nearest(which, 2 * limit).subquery()
        alive = (
            select(nearest.c.memory_id, (1 - nearest.c.distance).label("similarity"))
            .join(memories, (_m.tenant == tenant) & (_m.memory_id == nearest.c.memory_id))
            .where(*conditions)
            .order_by(nearest.c.distance)
            .limit(limit)
        )
        found = await _ranking(conn, alive)
        if len(found) == limit:
            return found
    joined = _nearest(which, limit, conditions).subquery()
    best = select(joined.c.memory_id, (1 - joined.c.distance).label("similarity"))
    return await _ranking(conn, best.order_by(joined.c.distance).limit(limit))


Compared = tuple[ColumnElement[float], Sequence[Any]]
"""A distance, and which vectors it is taken of."""


def _one_by_one(tenant: str, query: Vector, *, exact: bool) -> list[Compared]:
    """Return what is compared one by one and, unless `exact`, what is found through the index."""
    meant = [_v.tenant == tenant, _v.model == query.model, _v.dimension == query.dimension]
    plainly = _distance(_v.embedding, query)
    if exact or query.dimension not in DIMENSIONS:
        return [(plainly, meant)]
    # The index is on the cast and on rows with these very literals; without them it cannot be chosen.
    cut = _distance(cast(_v.embedding, HALFVEC(query.dimension)), query)
    through = [*meant[:2], text(f"dimension = {query.dimension} AND indexed")]
    return [(cut, through), (plainly, [*meant, not_(_v.indexed)])]


def _nearest(
    which: Sequence[Compared], limit: int, conditions: Sequence[ColumnElement[bool]] | None = None
) -> Select[Any] | CompoundSelect[Any]:
    """Return the query of the nearest vectors of each kind, of memories that meet the conditions, if any."""
    parts = []
    for distance, meant in which:
        part = select(_v.memory_id, distance.label("distance")).where(*meant)
        if conditions is not None:
            part = part.join(memories, (_m.tenant == _v.tenant) & (_m.memory_id == _v.memory_id))
            part = part.where(*conditions)
        parts.append(part.order_by(distance).limit(limit))
    return parts[0] if len(parts) == 1 else union_all(*(select(part.subquery()) for part in parts))


async def _ranking(conn: AsyncConnection, query: Select[Any]) -> Ranking:
    return [(row[0], row[1]) for row in await conn.execute(query)]


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
