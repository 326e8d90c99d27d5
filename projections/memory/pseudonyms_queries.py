"""Finds where the originals of pseudonyms are sealed; the only reader of their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.memory.pseudonyms_table import pseudonyms

_p = pseudonyms.c


async def positions_of(conn: AsyncConnection, tokens: Sequence[str]) -> Mapping[str, int]:
    """Return the log position at which each known token of the tenant is sealed."""
    rows = await conn.execute(select(_p.token, _p.position).where(_p.token.in_(list(tokens))))
    return {row.token: row.position for row in rows}
