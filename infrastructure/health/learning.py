"""Refreshes what decisions learned from ratings and experiments, every few seconds, off the request path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from application.orchestration.measures import LiveMeasures, Rating
from application.ports import Clock
from domain.orchestration.policy import ActivePolicy
from infrastructure.ending import end
from projections.orchestration.experiments_queries import arm_tallies, ratings

EVERY_S = 3.0
RATINGS_OF = timedelta(days=30)
log = structlog.get_logger("learning")


class Learning:
    """The background task of one process; `system` connects as `aios_system`, which sees every tenant."""

    def __init__(
        self,
        measures: LiveMeasures,
        system: AsyncEngine,
        policies: Callable[[], Iterable[tuple[str, ActivePolicy]]],
        clock: Clock,
    ) -> None:
        self._measures = measures
        self._system = system
        self._policies = policies
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to refresh; returns at once."""
        self._task = asyncio.create_task(self._run(), name="learning")

    async def close(self) -> None:
        """Stop."""
        await end(self._task)

    async def refresh(self) -> None:
        """Read what there is now. Raises SQLAlchemyError."""
        async with self._system.connect() as conn:
            rated = await ratings(conn, self._clock() - RATINGS_OF)
            tallies = await arm_tallies(conn)
        self._measures.learn(
            [
                Rating(
                    tenant=each.tenant,
                    target=f"{each.provider}/{each.model}",
                    count=each.count,
                    total=each.total,
                    squares=each.squares,
                )
                for each in rated
            ],
            self._policies(),
            tallies,
        )

    async def _run(self) -> None:
        while True:
            try:
                await self.refresh()
            except (SQLAlchemyError, OSError) as error:
                log.info("ratings were not refreshed", problem=type(error).__name__)
            await asyncio.sleep(EVERY_S)
