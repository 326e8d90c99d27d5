"""Operators' work on log and read models: verify, export, list, rebuild, retry, roll back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from psycopg import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.kernel.errors import NotFound
from domain.registry import event_registry
from infrastructure.embeddings.configured import configured_embeddings
from infrastructure.erasure.ledger import require_redone
from infrastructure.erasure.signing import check as check_certificate
from infrastructure.event_store import anchors
from infrastructure.event_store.verify import Report
from infrastructure.event_store.verify import verify as verify_log
from infrastructure.operations.projector import anchor_path
from infrastructure.operations.restored import redo_purges
from infrastructure.runtime import Endpoints, Runtime
from infrastructure.settings import Settings
from projections import lag, parked
from projections.memory.vectors import with_embeddings
from projections.projection import Projection
from projections.rebuild import rebuild, roll_back
from projections.registry import PROJECTIONS
from projections.runner import worker_name

__all__ = [
    "check_certificate",
    "export",
    "list_projections",
    "rebuild_projection",
    "redo_purges",
    "require_redone",
    "retry_projection",
    "roll_back_projection",
    "verify",
]


@asynccontextmanager
async def _opened(
    settings: Settings, where: Endpoints
) -> AsyncIterator[tuple[Runtime, AsyncEngine, AsyncEngine]]:
    runtime = Runtime(settings, where, event_registry(), name="cli")
    await runtime.open()
    try:
        yield runtime, runtime.engine(where.system_dsn), runtime.engine(where.owner_dsn)
    finally:
        await runtime.close()


async def verify(settings: Settings, where: Endpoints) -> Report:
    """Verify the whole log, its counters, and the anchors outside the database."""
    written = anchors.read(anchor_path(settings))
    async with await AsyncConnection.connect(where.system_dsn, autocommit=True) as conn:
        return await verify_log(conn, written)


async def export(settings: Settings, where: Endpoints, tenant: str | None) -> AsyncIterator[bytes]:
    """Yield the log as JSON lines, sealed fields as they are stored; of one tenant or of all."""
    from infrastructure.event_store.export import lines

    async with await AsyncConnection.connect(where.system_dsn) as conn:
        async for line in lines(conn, tenant):
            yield line


async def list_projections(settings: Settings, where: Endpoints) -> list[dict[str, Any]]:
    """Return where every projection stands."""
    async with _opened(settings, where) as (runtime, system, _):
        return [msgspec.to_builtins(s) for s in await lag.list_projections(system, runtime.tail, PROJECTIONS)]


async def rebuild_projection(settings: Settings, where: Endpoints, name: str) -> dict[str, Any]:
    """Replay a projection into a new copy and swap it in; readers see no gap."""
    async with (
        _opened(settings, where) as (runtime, system, owner),
        _projection(settings, name) as projection,
    ):
        done = await rebuild(projection, tail=runtime.tail, system=system, owner=owner, worker=worker_name())
        return {"name": name, "generation": done.number}


async def retry_projection(settings: Settings, where: Endpoints, name: str) -> dict[str, Any]:
    """Apply a projection's parked events again."""
    async with _opened(settings, where) as (runtime, system, _), _projection(settings, name) as projection:
        retried = await parked.retry_parked(projection, system=system, tail=runtime.tail)
        return {"name": name, **msgspec.to_builtins(retried)}


async def roll_back_projection(settings: Settings, where: Endpoints, name: str) -> dict[str, Any]:
    """Serve the copy from before the last rebuild again."""
    async with (
        _opened(settings, where) as (runtime, system, owner),
        _projection(settings, name) as projection,
    ):
        done = await roll_back(
            projection, tail=runtime.tail, system=system, owner=owner, worker=worker_name()
        )
        return {"name": name, "generation": done.number}


@asynccontextmanager
async def _projection(settings: Settings, name: str) -> AsyncIterator[Projection]:
    """Lend a projection with the embedding model that it may need. Raises NotFound."""
    embedder = configured_embeddings(settings)
    found = next((each for each in with_embeddings(PROJECTIONS, embedder) if each.name == name), None)
    if found is None:
        known = ", ".join(projection.name for projection in PROJECTIONS)
        raise NotFound(f"there is no projection '{name}'; there are {known}")
    try:
        yield found
    finally:
        await embedder.aclose()
