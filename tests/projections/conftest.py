"""Engines in the three roles on a fresh database, and a runner that stops with the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.engines import engine
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from projections.generations import install
from projections.runner import Pace, Runner
from projections.tail import Tail
from tests.waiting import until

FAST = Pace(lease_s=2.0, renew_s=0.3, standby_s=0.1, longest_backoff_s=0.5)


@dataclass(frozen=True)
class Engines:
    """One engine for each role."""

    owner: AsyncEngine
    system: AsyncEngine
    app: AsyncEngine

    async def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """Read as the role that sees every tenant."""
        async with self.system.connect() as conn:
            return [tuple(row) for row in await conn.execute(text(sql), values)]


@pytest.fixture
async def engines(database: PostgresEndpoint) -> AsyncIterator[Engines]:
    made = Engines(engine(database.owner_dsn), engine(database.system_dsn), engine(database.app_dsn))
    await install(made.owner, [])
    yield made
    for each in (made.owner, made.system, made.app):
        await each.dispose()


Running = Callable[..., AbstractAsyncContextManager[Runner]]


@pytest.fixture
def running(engines: Engines) -> Running:
    """Run a runner while the body of `async with running(tail, projections)` runs."""

    @asynccontextmanager
    async def run(tail: Tail, projections: Sequence[Any], pace: Pace = FAST) -> AsyncIterator[Runner]:
        runner = Runner(projections, tail, system=engines.system, owner=engines.owner, pace=pace)
        task = asyncio.create_task(runner.run())
        try:
            yield runner
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return run


async def reached(engines: Engines, name: str, position: int) -> None:
    """Wait until the active generation of a projection has applied a position."""

    async def there() -> bool:
        rows = await engines.rows(
            "SELECT c.position FROM projection_checkpoints c JOIN projection_generations g "
            "USING (projection, generation) WHERE g.state = 'active' AND c.projection = :name",
            name=name,
        )
        return bool(rows) and rows[0][0] >= position

    await until(there, f"{name} reaches {position}")
