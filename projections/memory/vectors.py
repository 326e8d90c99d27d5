"""Folds memory events into vectors. Handlers name the text; the vectors come from a model, before the rows.

The projection has a checkpoint of its own: while no model answers it waits and texts go on being found, and a
change of the model is a rebuild of this projection alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

import msgspec

from domain.kernel.events import Envelope
from domain.kernel.personal import Erased
from domain.memory.erasure_events import MemoriesErased
from domain.memory.events import MemoryAdded, MemoryDeleted, MemoryRekeyed, MemoryUpdated, Remembered
from projections.memory.tables import memory_vectors
from projections.ops import Delete, Row, RowOp, Upsert
from projections.projection import Projection, Resolver

MODEL_COLUMNS = ("model", "dimension", "embedding")


class ToEmbed(msgspec.Struct, frozen=True):
    """Stands in a row for the vector of a text; `confined` texts are not for a third party's model."""

    text: str
    confined: bool = False


class Embeddings(Protocol):
    """A model that turns texts into vectors; `remote` when the texts leave for a third party.

    `embed` answers one vector a text, as PostgreSQL reads it (`[0.1,0.2]`); raises Unavailable.
    """

    @property
    def model(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def remote(self) -> bool: ...

    async def embed(self, texts: Sequence[str]) -> list[str]: ...


def remembered(envelope: Envelope[Remembered]) -> Iterable[RowOp]:
    """Ask for the vector of the memory as it is now; once its key is gone, there is none."""
    event = envelope.event
    if isinstance(event.content, Erased) or isinstance(event.details, Erased) or not event.content:
        yield Delete(memory_vectors, {"tenant": envelope.tenant, "memory_id": event.memory_id})
        return
    yield Upsert(
        memory_vectors,
        {
            "tenant": envelope.tenant,
            "memory_id": event.memory_id,
            "position": envelope.position,
            "subject": event.subject,
            "category": event.category,
            "model": "",
            "dimension": 0,
            "embedding": ToEmbed(event.content, event.confined),
        },
    )


def memory_deleted(envelope: Envelope[MemoryDeleted]) -> Iterable[RowOp]:
    """Remove the vector."""
    yield Delete(memory_vectors, {"tenant": envelope.tenant, "memory_id": envelope.event.memory_id})


def memories_erased(envelope: Envelope[MemoriesErased]) -> Iterable[RowOp]:
    """Remove the vectors of what an erasure took."""
    for memory_id in envelope.event.memory_ids:
        yield Delete(memory_vectors, {"tenant": envelope.tenant, "memory_id": memory_id})


def resolver(embeddings: Embeddings) -> Resolver:
    """Return what puts vectors into rows. A confined text gets none from a remote model: its old one goes."""

    async def resolve(ops: Sequence[RowOp]) -> list[RowOp]:
        wanted = [_text(op) for op in ops]
        texts = [text.text for text in wanted if text and not (text.confined and embeddings.remote)]
        vectors = iter(await embeddings.embed(texts) if texts else ())
        made = (embeddings.model, embeddings.dimension)
        resolved: list[RowOp] = []
        for op, text in zip(ops, wanted, strict=True):
            if text is None or not isinstance(op, Upsert):
                resolved.append(op)
            elif text.confined and embeddings.remote:
                resolved.append(Delete(op.table, {key: op.row[key] for key in ("tenant", "memory_id")}))
            else:
                values = dict(zip(MODEL_COLUMNS, (*made, next(vectors)), strict=True))
                resolved.append(Upsert(op.table, {**op.row, **values}))
        return resolved

    return resolve


def with_embeddings(projections: Iterable[Projection], embeddings: Embeddings) -> tuple[Projection, ...]:
    """Return projections of which that of the vectors uses a model."""
    return tuple(
        replace(each, resolve=resolver(embeddings)) if each.name == MEMORY_VECTORS.name else each
        for each in projections
    )


def _text(op: RowOp) -> ToEmbed | None:
    row: Row = op.row if isinstance(op, Upsert) else {}
    value = row.get("embedding")
    return value if isinstance(value, ToEmbed) else None


MEMORY_VECTORS = Projection(
    name="memory_vectors",
    version=1,
    tables=(memory_vectors,),
    handlers={
        MemoryAdded: remembered,
        MemoryUpdated: remembered,
        MemoryRekeyed: remembered,
        MemoryDeleted: memory_deleted,
        MemoriesErased: memories_erased,
    },
)
