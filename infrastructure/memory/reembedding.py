"""Embeds every memory again when the configured model is another than the one whose vectors are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.kernel.errors import AiosError, Conflict
from projections.leases import LostLease
from projections.memory.vectors import MEMORY_VECTORS, Embeddings
from projections.projection import Projection
from projections.rebuild import rebuild
from projections.runner import worker_name
from projections.tail import Tail

LOOK_AGAIN_S = 60.0
_INSTALLED = text("SELECT to_regclass('memory_vectors') IS NOT NULL")
_OTHERS = text("SELECT EXISTS (SELECT FROM memory_vectors WHERE model <> :model)")
log = structlog.get_logger("memory.reembedding")


async def follow_model(
    projections: Sequence[Projection],
    embedder: Embeddings,
    tail: Tail,
    *,
    system: AsyncEngine,
    owner: AsyncEngine,
) -> None:
    """Rebuild the vectors once, when some are of another model; look again while that does not succeed."""
    (vectors,) = (each for each in projections if each.name == MEMORY_VECTORS.name)
    while True:
        try:
            if not await vectors_of_other_models(system, embedder.model):
                return
            log.info("embedding all memories again", model=embedder.model)
            await rebuild(vectors, tail=tail, system=system, owner=owner, worker=worker_name())
        except (AiosError, Conflict, LostLease, SQLAlchemyError) as error:
            log.warning("memories not embedded again yet", reason=type(error).__name__)
            await asyncio.sleep(LOOK_AGAIN_S)


async def vectors_of_other_models(system: AsyncEngine, model: str) -> bool:
    """Tell whether some memory has a vector of another model than this one."""
    async with system.connect() as conn:
        if not (await conn.execute(_INSTALLED)).scalar_one():
            return False
        return bool((await conn.execute(_OTHERS, {"model": model})).scalar_one())
