"""Brings databases and read models to what this version of the product expects."""

from __future__ import annotations

import asyncio

from infrastructure.database import engines
from infrastructure.database.migrate import migrate
from infrastructure.runtime import Endpoints
from projections.generations import install
from projections.registry import PROJECTIONS


def migrate_all(where: Endpoints) -> str:
    """Apply missing migrations, install missing projections, return the schema's revision."""
    revision = migrate(where.owner_dsn)
    asyncio.run(_install(where))
    return revision


async def _install(where: Endpoints) -> None:
    engine = engines.engine(where.owner_dsn, size=1, application="aios-migrate")
    try:
        await install(engine, PROJECTIONS)
    finally:
        await engine.dispose()
