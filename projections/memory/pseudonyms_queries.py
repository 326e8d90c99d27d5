"""Finds where the originals of pseudonyms are sealed; the only reader of their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import and_, case, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.memory.policy import PolicyBook
from projections.memory.pseudonyms_table import pseudonyms
from projections.memory.tables import memories
from projections.memory.visible import MemoryFilters, visible

_p = pseudonyms.c


class PseudonymPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a token's original is sealed: in a memory, else in the event at `position`.

    Not `readable`: it is erased, being erased, or its memory is deleted or has ended.
    """

    token: str
    source: str
    memory_id: str | None
    subject: str
    category: str
    moment: datetime
    position: int
    readable: bool


async def places_of(
    conn: AsyncConnection, tokens: Sequence[str], book: PolicyBook, now: datetime
) -> list[PseudonymPlace]:
    """Return one place for each known token of the tenant: the newest one that can be read, if any can."""
    seen = and_(memories.c.memory_id == _p.memory_id, *visible(MemoryFilters(), book, now))
    living = case((_p.memory_id.is_(None), _p.erased.is_(False)), else_=memories.c.memory_id.is_not(None))
    query = (
        select(pseudonyms, living.label("readable"))
        .ext(distinct_on(_p.token))
        .outerjoin(memories, seen)
        .where(_p.token.in_(list(tokens)))
        .order_by(_p.token, living.desc(), _p.position.desc())
    )
    return [_place(dict(row), book) for row in (await conn.execute(query)).mappings()]


async def tokens_about(conn: AsyncConnection, subject: str, *, after: str, limit: int) -> list[str]:
    """Return the tokens of texts about a person, sorted, a page at a time."""
    query = (
        select(_p.token)
        .distinct()
        .where(_p.subject == subject, _p.token > after)
        .order_by(_p.token)
        .limit(limit)
    )
    return list((await conn.execute(query)).scalars())


def _place(row: Mapping[str, Any], book: PolicyBook) -> PseudonymPlace:
    place = PseudonymPlace(**{name: row[name] for name in PseudonymPlace.__struct_fields__})
    if place.memory_id is None and any(
        selection.reaches(place.subject, place.category, place.moment) for selection in book.erasing
    ):
        return msgspec.structs.replace(place, readable=False)
    return place
