"""Reads what experiments and ratings add up to; the only reader of their tables."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.orchestration.experiments import Tally
from projections.orchestration.experiments_tables import ARM_COUNTERS, experiment_arms, feedback

Arm = tuple[str, str, str, str]
"""Tenant, workspace, experiment and arm."""


class Ratings(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of the ratings of one target's answers."""

    tenant: str
    provider: str
    model: str
    count: int
    total: float
    squares: float


_SUMS = (
    func.count().label("rated"),
    func.sum(feedback.c.score).label("feedback"),
    func.sum(feedback.c.score * feedback.c.score).label("feedback_squares"),
)


async def arm_tallies(conn: AsyncConnection) -> dict[Arm, Tally]:
    """Return the sums of every arm that ever had a request or a rating, of the tenants a connection sees."""
    found: dict[Arm, Tally] = {}
    for row in (await conn.execute(select(experiment_arms))).mappings():
        key = (row["tenant"], row["workspace"], row["experiment"], row["arm"])
        found[key] = Tally(**{name: row[name] for name in ARM_COUNTERS})
    names = (feedback.c.tenant, feedback.c.workspace, feedback.c.experiment, feedback.c.arm)
    rated = select(*names, *_SUMS).where(feedback.c.experiment.is_not(None)).group_by(*names)
    for row in (await conn.execute(rated)).mappings():
        key = (row["tenant"], row["workspace"], row["experiment"], row["arm"])
        sums = {name: row[name] for name in ("rated", "feedback", "feedback_squares")}
        found[key] = msgspec.structs.replace(found.get(key, Tally()), **sums)
    return found


async def ratings(conn: AsyncConnection, since: datetime) -> list[Ratings]:
    """Return the sums of ratings given since a time, by target, of the tenants a connection sees."""
    names = (feedback.c.tenant, feedback.c.provider, feedback.c.model)
    query = (
        select(*names, *_SUMS)
        .where(feedback.c.given_at >= since, feedback.c.provider.is_not(None), feedback.c.model.is_not(None))
        .group_by(*names)
    )
    return [
        Ratings(
            tenant=row.tenant,
            provider=row.provider,
            model=row.model,
            count=row.rated,
            total=row.feedback,
            squares=row.feedback_squares,
        )
        for row in await conn.execute(query)
    ]
