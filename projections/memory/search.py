"""Finds memories by meaning and by words: two rankings, to be fused.

By meaning: exactly among a small tenant's vectors, through the HNSW index of a large one's, whose scan goes
on until enough rows pass the filters. By words: weights of BM25 (inverse document frequency, saturating term
frequency, length) over PostgreSQL's full text; in large tenants only words that are rare enough are followed.
"""

from __future__ import annotations

from collections.abc import Sequence

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import ColumnElement, Double, cast, func, literal, select, text
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.memory.fusion import Ranking
from projections.memory.statistics import TenantStatistics
from projections.memory.tables import DIMENSIONS, memories, memory_vectors

MOST_WORDS = 24
MOST_ROWS = 5000
"""So many rows are ranked by words at most."""
LARGEST_SHARE = 0.04
"""Of a large tenant's memories, so many may hold a word that is followed."""
EF_SEARCH = 120
_m, _v = memories.c, memory_vectors.c
_LEXEMES = text("SELECT lexeme FROM unnest(to_tsvector('english', :query)) ORDER BY lexeme")
_SETTINGS = text(
    "SELECT set_config('hnsw.ef_search', :ef, true), set_config('hnsw.max_scan_tuples', '60000', true), "
    "set_config('hnsw.iterative_scan', 'strict_order', true), "
    "set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)"
)


async def by_meaning(
    conn: AsyncConnection,
    tenant: str,
    vector: str,
    model: tuple[str, int],
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
    *,
    exact: bool,
) -> Ranking:
    """Return the nearest memories by cosine similarity; `model` is a vector's model and dimension."""
    name, dimension = model
    if not exact and dimension in DIMENSIONS:
        await conn.execute(_SETTINGS, {"ef": str(max(EF_SEARCH, 2 * limit))})
        column: ColumnElement[object] = cast(_v.embedding, HALFVEC(dimension))
    else:
        column = _v.embedding
    distance: ColumnElement[float] = column.op("<=>", return_type=Double())(
        cast(literal(vector), HALFVEC(dimension))
    )
    query = (
        select(_v.memory_id, (1 - distance).label("similarity"))
        .join(memories, (_m.tenant == _v.tenant) & (_m.memory_id == _v.memory_id))
        .where(_v.tenant == tenant, _v.model == name, text(f"dimension = {int(dimension)}"), *conditions)
        .order_by(distance)
        .limit(limit)
    )
    return [(row.memory_id, row.similarity) for row in await conn.execute(query)]


async def by_words(
    conn: AsyncConnection,
    tenant: str,
    query: str,
    statistics: TenantStatistics,
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
) -> Ranking:
    """Return the memories that hold words of the query, those with more and rarer ones first."""
    words = [row.lexeme for row in await conn.execute(_LEXEMES, {"query": query})]
    words = sorted(words, key=statistics.share)[:MOST_WORDS]
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
    if not statistics.large:
        return " | ".join(quoted(word) for word in words)
    followed: list[str] = []
    share = 0.0
    for word in words:
        share += statistics.share(word)
        if followed and share > LARGEST_SHARE:
            break
        followed.append(quoted(word))
    if len(followed) == len(words):
        return " | ".join(followed)
    return f"{' | '.join(followed)} | ({' & '.join(quoted(word) for word in words)})"


def quoted(word: str) -> str:
    """Return a lexeme as it stands in a tsquery."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
