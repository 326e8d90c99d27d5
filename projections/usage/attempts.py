"""Tells what single calls of providers met of late, for whoever judges providers by it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.kernel.request_record import Attempt

MOST_REQUESTS = 10_000
LONGEST_NAME = 256

# Tenants are found by hopping along the index from one to the next, so that only new rows are ever touched.
_RECENT = text("""
WITH RECURSIVE owners AS (
    SELECT min(tenant) AS tenant FROM usage_requests
    UNION ALL
    SELECT (SELECT min(r.tenant) FROM usage_requests r WHERE r.tenant > o.tenant)
    FROM owners o WHERE o.tenant IS NOT NULL
)
SELECT o.tenant, r.started_at + (a.started_ms + a.duration_ms) * interval '1 millisecond' AS ended_at,
       a.provider, a.model, a.outcome, a.status, a.started_ms, a.duration_ms, a.first_content_ms
FROM owners o
CROSS JOIN LATERAL (
    SELECT u.started_at, u.attempts FROM usage_requests u
    WHERE u.tenant = o.tenant AND u.started_at >= :since AND u.started_at < :until
    ORDER BY u.started_at DESC LIMIT :most
) r
CROSS JOIN LATERAL jsonb_to_recordset(r.attempts) AS a(
    provider text, model text, outcome text, status integer,
    started_ms bigint, duration_ms bigint, first_content_ms bigint)
WHERE length(a.provider) <= :longest AND length(a.model) <= :longest
ORDER BY ended_at
""")


async def recent_attempts(
    conn: AsyncConnection, since: datetime, until: datetime, most: int = MOST_REQUESTS
) -> list[tuple[str, datetime, Attempt]]:
    """Return (tenant, end of the attempt, attempt) of requests started in [since, until), oldest first.

    Of each tenant that the connection may see, the newest `most` requests are looked at. Attempts come
    without usage and cost; names longer than 256 characters are left out.
    """
    values = {"since": since, "until": until, "most": most, "longest": LONGEST_NAME}
    return [
        (
            row.tenant,
            row.ended_at,
            Attempt(
                provider=row.provider,
                model=row.model,
                outcome=row.outcome,
                status=row.status,
                started_ms=row.started_ms,
                duration_ms=row.duration_ms,
                first_content_ms=row.first_content_ms,
            ),
        )
        for row in await conn.execute(_RECENT, values)
    ]
