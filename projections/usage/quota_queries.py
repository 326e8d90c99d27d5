"""Reads what counts towards a quota: the exact counters of the log, and what processes hold now."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.usage.quota import Scope

_USE = sa.text(
    """
SELECT coalesce(min(u.tokens), 0), coalesce(min(u.cost_micros), 0),
       coalesce(sum(l.held) FILTER (WHERE l.unit = 'tokens'), 0),
       coalesce(sum(l.held) FILTER (WHERE l.unit = 'cost'), 0)
FROM (SELECT CAST(:kind AS text) AS kind, CAST(:id AS text) AS id, CAST(:month AS text) AS month) s
LEFT JOIN quota_used u ON (u.kind, u.id, u.month) = (s.kind, s.id, s.month)
LEFT JOIN quota_leases l ON (l.kind, l.id, l.month) = (s.kind, s.id, s.month)"""
)


class QuotaUse(msgspec.Struct, frozen=True, kw_only=True):
    """What a scope used and holds in one month; money in micro-dollars."""

    used_tokens: int
    used_micros: int
    held_tokens: int
    held_micros: int


async def quota_use(conn: AsyncConnection, scope: Scope, month: str) -> QuotaUse:
    """Return a scope's use in a month (`2026-11`), as of now; `conn` sees one tenant."""
    row = (await conn.execute(_USE, {"kind": scope.kind, "id": scope.id, "month": month})).one()
    used_tokens, used_micros, held_tokens, held_micros = (int(value) for value in row)
    return QuotaUse(
        used_tokens=used_tokens, used_micros=used_micros, held_tokens=held_tokens, held_micros=held_micros
    )
