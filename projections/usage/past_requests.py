"""Reads a window's requests as they were decided, for whoever decides them anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Text, cast, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.kernel.request_record import Attempt, Decision, TokenCounts
from projections.usage.tables import usage_requests, usage_users

PAGE = 250  # rows between two turns of the event loop
_r = usage_requests.c
_DECISION = msgspec.json.Decoder(Decision)
_ATTEMPTS = msgspec.json.Decoder(tuple[Attempt, ...])
_COLUMNS = (
    _r.position,
    _r.request_id,
    _r.started_at,
    _r.key_id,
    _r.segment,
    _r.session,
    _r.input_tokens,
    _r.cached_tokens,
    _r.cache_write_tokens,
    _r.output_tokens,
    _r.reasoning_tokens,
    _r.cost_micros,
    _r.duration_ms,
    usage_users.c.name.label("user"),
    cast(_r.decision, Text).label("decision"),
    cast(_r.attempts, Text).label("attempts"),
)


class PastRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision looked at, what it was, and what came of it. An erased user is None."""

    request_id: str
    started_at: datetime
    key_id: str
    segment: str | None
    session: str | None
    user: str | None
    decision: Decision
    attempts: tuple[Attempt, ...]
    usage: TokenCounts
    cost_micros: int | None
    duration_ms: int


async def past_requests(
    conn: AsyncConnection, workspace: str, since: datetime, until: datetime, most: int
) -> AsyncIterator[PastRequest]:
    """Iterate over the newest `most` requests of a workspace started in [since, until), newest first."""
    query = (
        select(*_COLUMNS)
        .outerjoin_from(usage_requests, usage_users, usage_users.c.subject == _r.subject)
        .where(_r.workspace == workspace, _r.started_at >= since, _r.started_at < until)
        .order_by(_r.started_at.desc(), _r.position.desc())
    )
    following, left = query, most
    while left > 0:
        rows = (await conn.execute(following.limit(min(PAGE, left)))).all()
        for row in rows:
            yield _past(row)
        if len(rows) < min(PAGE, left):
            return
        left -= len(rows)
        place = (rows[-1].started_at, rows[-1].position)
        following = query.where(tuple_(_r.started_at, _r.position) < tuple_(*place))


def _past(row: Any) -> PastRequest:
    return PastRequest(
        request_id=row.request_id,
        started_at=row.started_at,
        key_id=row.key_id,
        segment=row.segment,
        session=row.session,
        user=row.user,
        decision=_DECISION.decode(row.decision),
        attempts=_ATTEMPTS.decode(row.attempts),
        usage=TokenCounts(
            input=row.input_tokens,
            cached_input=row.cached_tokens,
            cache_write=row.cache_write_tokens,
            output=row.output_tokens,
            reasoning=row.reasoning_tokens,
        ),
        cost_micros=row.cost_micros,
        duration_ms=row.duration_ms,
    )
