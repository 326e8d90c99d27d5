"""How far a read model is, for queries that say so in the same statement as their data."""

from __future__ import annotations

from sqlalchemy import BigInteger, ColumnElement, column, func, select, table

_CHECKPOINTS = table("projection_checkpoints", column("projection"), column("generation"), column("position"))
_GENERATIONS = table("projection_generations", column("projection"), column("generation"), column("state"))


def as_of(projection: str) -> ColumnElement[int]:
    """Return the expression for the position up to which the projection's views hold every event."""
    position = func.coalesce(func.max(_CHECKPOINTS.c.position), 0, type_=BigInteger)
    return (
        select(position)
        .select_from(_CHECKPOINTS)
        .join(
            _GENERATIONS,
            (_GENERATIONS.c.projection == _CHECKPOINTS.c.projection)
            & (_GENERATIONS.c.generation == _CHECKPOINTS.c.generation),
        )
        .where(_GENERATIONS.c.state == "active", _CHECKPOINTS.c.projection == projection)
        .scalar_subquery()
    )
