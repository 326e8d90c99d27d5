"""Reads erasures, holds and the audit log of the tenant whose connection is given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.memory.erasure_tables import memory_accesses, memory_erased, memory_holds, memory_purges


class PurgeView(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure. `subject` is the person's pseudonym; `found` and `erased` count items by store."""

    purge_id: str
    position: int
    status: str
    origin: str
    subject: str | None
    category: str | None
    before: datetime | None
    reason: str
    legal_basis: str | None
    requested_by: str
    requested_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    rejected_by: str | None
    rejected_at: datetime | None
    completed_at: datetime | None
    found: dict[str, int] | None
    erased: dict[str, int] | None


class HoldView(msgspec.Struct, frozen=True, kw_only=True):
    """A legal hold; `released_at` is null while it is in force."""

    hold_id: str
    position: int
    subject: str | None
    category: str | None
    since: datetime | None = msgspec.field(name="from")
    until: datetime | None = msgspec.field(name="to")
    reason: str
    placed_by: str
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None


class AccessView(msgspec.Struct, frozen=True, kw_only=True):
    """One operation on memories: who, what, why, how many; never any content."""

    position: int
    number: int
    at: datetime
    action: str
    actor: str
    outcome: str
    request_id: str
    subject: str | None
    category: str | None
    target: str | None
    purpose: str | None
    counts: dict[str, int]


class AccessFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which operations to list; None leaves a field open. `since` and `until` are half-open."""

    action: str | None = None
    actor: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


_PURGE = [memory_purges.c[name] for name in PurgeView.__struct_fields__]
_ACCESS = [memory_accesses.c[name] for name in AccessView.__struct_fields__]


async def get_purge(conn: AsyncConnection, purge_id: str) -> PurgeView | None:
    """Return an erasure of the tenant, None when there is none."""
    row = (await conn.execute(select(*_PURGE).where(memory_purges.c.purge_id == purge_id))).mappings().first()
    return PurgeView(**row) if row else None


async def get_certificate(conn: AsyncConnection, purge_id: str) -> Mapping[str, Any] | None:
    """Return the signed certificate of a completed erasure, None when there is none yet."""
    query = select(memory_purges.c.certificate).where(memory_purges.c.purge_id == purge_id)
    found: Mapping[str, Any] | None = (await conn.execute(query)).scalar_one_or_none()
    return found


async def list_purges(conn: AsyncConnection, *, limit: int, before: int | None) -> list[PurgeView]:
    """Return erasures, newest first, that were asked for before a position."""
    query = select(*_PURGE).order_by(memory_purges.c.position.desc()).limit(limit)
    if before is not None:
        query = query.where(memory_purges.c.position < before)
    return [PurgeView(**row) for row in (await conn.execute(query)).mappings()]


async def list_holds(
    conn: AsyncConnection, *, limit: int, before: int | None, active: bool | None
) -> list[HoldView]:
    """Return holds, newest first; only those in force, only those that ended, or all."""
    columns = [memory_holds.c[name] for name in HoldView.__struct_fields__]
    query = select(*columns).order_by(memory_holds.c.position.desc()).limit(limit)
    if before is not None:
        query = query.where(memory_holds.c.position < before)
    if active is not None:
        ended = memory_holds.c.released_at
        query = query.where(ended.is_(None) if active else ended.is_not(None))
    return [HoldView(**row) for row in (await conn.execute(query)).mappings()]


async def erased_by(conn: AsyncConnection, memory_id: str) -> str | None:
    """Return the erasure that took a memory, None when none did."""
    query = select(memory_erased.c.purge_id).where(memory_erased.c.memory_id == memory_id)
    found: str | None = (await conn.execute(query)).scalar_one_or_none()
    return found


async def list_accesses(
    conn: AsyncConnection, wanted: AccessFilter, *, limit: int, before: tuple[int, int] | None
) -> list[AccessView]:
    """Return operations, newest first, from behind a place (position, number)."""
    table = memory_accesses.c
    place = tuple_(table.position, table.number)
    query = select(*_ACCESS).order_by(table.position.desc(), table.number.desc()).limit(limit)
    for name in ("action", "actor", "subject"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(table[name] == value)
    if wanted.since is not None:
        query = query.where(table.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(table.at < wanted.until)
    if before is not None:
        query = query.where(place < before)
    return [AccessView(**row) for row in (await conn.execute(query)).mappings()]
