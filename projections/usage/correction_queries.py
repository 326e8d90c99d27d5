"""Reads corrections of usage; the only reader of their table."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Text, cast, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.kernel.usage_correction import Metered
from projections.usage.answers import CorrectionView
from projections.usage.tables import usage_corrections

_c = usage_corrections.c
_METERED = msgspec.json.Decoder(Metered)
_PLAIN = tuple(_c[name] for name in CorrectionView.__struct_fields__ if name not in {"before", "after"})


async def list_corrections(
    conn: AsyncConnection,
    *,
    request_id: str | None = None,
    workspace: str | None = None,
    limit: int = 100,
    before: int | None = None,
) -> list[CorrectionView]:
    """Return corrections, newest first, those stored below position `before`."""
    query = select(*_PLAIN, cast(_c.before, Text).label("before"), cast(_c.after, Text).label("after"))
    for column, value in ((_c.request_id, request_id), (_c.workspace, workspace)):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(_c.position < before)
    rows = await conn.execute(query.order_by(_c.position.desc()).limit(limit))
    return [_view(dict(row)) for row in rows.mappings()]


def _view(fields: dict[str, Any]) -> CorrectionView:
    counted = {name: _METERED.decode(fields.pop(name)) for name in ("before", "after")}
    return CorrectionView(**(fields | counted))
