"""How far each read model is behind the log and what it could not digest, for metrics and the CLI."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from projections.projection import Projection
from projections.tail import Tail

ProjectionState = Literal["running", "rebuilding", "outdated", "stopped"]
_STANDING = text(
    "SELECT g.projection, g.version, g.generation, c.position, "
    "EXISTS (SELECT FROM projection_leases l WHERE l.projection = g.projection "
    "  AND l.generation = g.generation AND l.expires_at > clock_timestamp()) AS leased, "
    "EXISTS (SELECT FROM projection_generations b JOIN projection_leases l USING (projection, generation) "
    "  WHERE b.projection = g.projection AND b.state = 'building' AND l.expires_at > clock_timestamp()) "
    "  AS rebuilding, "
    "(SELECT count(*) FROM projection_parked p WHERE p.projection = g.projection "
    "  AND p.generation = g.generation) AS parked "
    "FROM projection_generations g JOIN projection_checkpoints c USING (projection, generation) "
    "WHERE g.state = 'active' ORDER BY g.projection"
)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where one projection stands. `lag_seconds` is the age of the oldest event it has still to apply.

    `state`: `running`, `rebuilding` (a new copy replays beside it), `outdated` (another version of the code
    is served) or `stopped` (no process projects it).
    """

    name: str
    version: int
    generation: int
    position: int
    head: int
    lag_events: int
    lag_seconds: float
    state: ProjectionState
    parked: int


async def list_projections(
    system: AsyncEngine, tail: Tail, projections: Sequence[Projection]
) -> list[Standing]:
    """Return where every installed projection of this code stands, by name."""
    versions = {projection.name: projection.version for projection in projections}
    async with system.connect() as conn:
        rows = [row for row in await conn.execute(_STANDING) if row.projection in versions]
    head = await tail.head()
    ages: dict[int, float] = {}
    for position in {row.position for row in rows}:
        ages[position] = await _age_of_next(tail, position, head)
    return [
        Standing(
            name=row.projection,
            version=row.version,
            generation=row.generation,
            position=row.position,
            head=head,
            lag_events=max(0, head - row.position),
            lag_seconds=ages[row.position],
            state=_state(row.leased, row.rebuilding, row.version == versions[row.projection]),
            parked=row.parked,
        )
        for row in rows
    ]


def _state(leased: bool, rebuilding: bool, same_version: bool) -> ProjectionState:
    if rebuilding:
        return "rebuilding"
    if leased:
        return "running"
    return "stopped" if same_version else "outdated"


async def _age_of_next(tail: Tail, position: int, head: int) -> float:
    if position >= head:
        return 0.0
    batch = await tail.read_batch(position, 1)
    if not batch.events:
        return 0.0
    return max(0.0, (datetime.now(UTC) - batch.events[0].recorded_at).total_seconds())
