"""Reads memory policies: those in force, and every version; the only reader of their table."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.memory.policy import MemoryRules, PolicyBook
from projections.memory.tables import DEFAULT_CATEGORY, memory_policies

_p = memory_policies.c


class MemoryPolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the rules of a category; `category` None: the tenant's default."""

    category: str | None
    version: int
    set_by: str
    set_at: datetime
    rules: MemoryRules


async def list_memory_policies(conn: AsyncConnection) -> list[MemoryPolicyVersion]:
    """Return the rules in force of each category, the tenant's default first."""
    query = select(memory_policies).ext(distinct_on(_p.category)).order_by(_p.category, _p.version.desc())
    return [_version(row) for row in await conn.execute(query)]


async def memory_policy_history(
    conn: AsyncConnection, category: str | None, *, limit: int, before: int | None = None
) -> list[MemoryPolicyVersion]:
    """Return the versions of a category's rules, newest first, those below `before`."""
    query = select(memory_policies).where(_p.category == (category or DEFAULT_CATEGORY))
    if before is not None:
        query = query.where(_p.version < before)
    return [_version(row) for row in await conn.execute(query.order_by(_p.version.desc()).limit(limit))]


async def policy_book(conn: AsyncConnection) -> PolicyBook:
    """Return all rules of the connection's tenant."""
    book = PolicyBook()
    for each in await list_memory_policies(conn):
        book = book.set(each.category, each.rules)
    return book


def _version(row: Row[tuple[object, ...]]) -> MemoryPolicyVersion:
    return MemoryPolicyVersion(
        category=row.category or None,
        version=row.version,
        set_by=row.set_by,
        set_at=row.set_at,
        rules=msgspec.convert(row.rules, MemoryRules),
    )
