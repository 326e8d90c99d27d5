"""Answers how models fare: judged at the time of asking, beside the last recorded change.

The judgement is that of the workflow `model-health-check` on the same samples, so what it shows is what the
next run of the workflow would record.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.orchestration.health import BASELINE, WINDOW, Model, SeenAttempt, assess, samples_by_model
from domain.orchestration.health_events import HealthStatus
from projections.orchestration.health_tables import model_health as recorded

AttemptsQuery = Callable[[AsyncConnection, datetime, datetime], Awaitable[Sequence[SeenAttempt]]]
"""The attempts that a connection may see of requests started in [since, until), oldest first."""


class HealthTransition(msgspec.Struct, frozen=True, kw_only=True):
    """The last recorded change of a model's health, and the event that says so."""

    previous: HealthStatus
    status: HealthStatus
    reason: str
    at: datetime
    position: int


class ModelHealthView(msgspec.Struct, frozen=True, kw_only=True):
    """The health of one model of one provider, by the tenant's own traffic.

    `requests`, `error_rate` and latencies (milliseconds, of successes) are of the last `window_s` seconds;
    None where there was nothing to measure.
    """

    provider: str
    model: str
    status: HealthStatus
    reason: str
    window_s: int
    requests: int
    error_rate: float | None
    avg_latency_ms: float | None
    p50_latency_ms: float | None
    p95_latency_ms: float | None
    last_transition: HealthTransition | None


async def model_health(
    conn: AsyncConnection,
    tenant: str,
    *,
    now: datetime,
    attempts: AttemptsQuery,
    configured: Iterable[tuple[str, str]] = (),
) -> list[ModelHealthView]:
    """Return the health of every (provider, model) that is configured, was used of late, or ever changed.

    `conn` is in the tenant's scope; `attempts` is `projections.usage.attempts.recent_attempts`.
    """
    samples = samples_by_model(await attempts(conn, now - WINDOW - BASELINE, now))
    transitions = await _transitions(conn, tenant)
    models: set[Model] = {(tenant, *names) for names in configured} | samples.keys() | transitions.keys()
    views = []
    for model in sorted(models):
        last = transitions.get(model)
        found = assess(
            samples.get(model, []),
            previous=last.status if last else "unknown",
            now=now,
            since=last.at if last else None,
        )
        views.append(
            ModelHealthView(
                provider=model[1], model=model[2], last_transition=last, **msgspec.structs.asdict(found)
            )
        )
    return views


async def judged_models(conn: AsyncConnection) -> list[Model]:
    """Return the models of all tenants that a connection may see whose recorded status is not `unknown`."""
    query = select(recorded.c.tenant, recorded.c.provider, recorded.c.model)
    rows = await conn.execute(query.where(recorded.c.status != "unknown"))
    return [(row.tenant, row.provider, row.model) for row in rows]


async def _transitions(conn: AsyncConnection, tenant: str) -> dict[Model, HealthTransition]:
    rows = await conn.execute(select(recorded).where(recorded.c.tenant == tenant))
    return {
        (row.tenant, row.provider, row.model): HealthTransition(
            previous=row.previous,
            status=row.status,
            reason=row.reason,
            at=row.changed_at,
            position=row.position,
        )
        for row in rows
    }
