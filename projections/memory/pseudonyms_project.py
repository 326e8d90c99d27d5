"""Folds pseudonyms: one row for each token and text, at the newest event that seals its original."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from domain.kernel.events import Envelope
from domain.memory.events import KIND, MemoryAdded, MemoryUpdated, Remembered
from domain.memory.pseudonym_events import PseudonymsErased, PseudonymsSealed
from projections.memory.pseudonyms_table import pseudonyms
from projections.ops import Delete, RowOp, Update, Upsert
from projections.projection import Projection

LONGEST = 512  # characters of a name that an index can hold


def pseudonyms_sealed(envelope: Envelope[PseudonymsSealed]) -> Iterable[RowOp]:
    """Keep where each token's original is sealed."""
    event = envelope.event
    row = {
        "source": event.source[:LONGEST],
        "memory_id": None,
        "subject": event.subject_id[:LONGEST],
        "category": event.category[:LONGEST],
        "moment": event.sealed_at,
    }
    yield from _rows(envelope, event.tokens, row)


def memory_added(envelope: Envelope[MemoryAdded]) -> Iterable[RowOp]:
    """Keep which tokens a memory has."""
    yield from _of_memory(envelope, envelope.event)


def memory_updated(envelope: Envelope[MemoryUpdated]) -> Iterable[RowOp]:
    """Forget the tokens that an edit took out."""
    source = _source(envelope.event.memory_id)
    yield Delete(pseudonyms, {"tenant": envelope.tenant, "source": source})
    yield from _of_memory(envelope, envelope.event)


def pseudonyms_erased(envelope: Envelope[PseudonymsErased]) -> Iterable[RowOp]:
    """Mark what opens no more."""
    for position in envelope.event.positions:
        yield Update(pseudonyms, {"tenant": envelope.tenant, "position": position}, {"erased": True})


def _of_memory(envelope: Envelope[Any], event: Remembered) -> Iterable[RowOp]:
    row = {
        "source": _source(event.memory_id),
        "memory_id": event.memory_id[:LONGEST],
        "subject": event.subject[:LONGEST],
        "category": event.category[:LONGEST],
        "moment": event.occurred_at,
    }
    yield from _rows(envelope, event.tokens, row)


def _rows(envelope: Envelope[Any], tokens: Iterable[str], row: dict[str, Any]) -> Iterable[RowOp]:
    place = {"tenant": envelope.tenant, "position": envelope.position, "erased": False}
    for token in dict.fromkeys(tokens):
        yield Upsert(pseudonyms, {**place, **row, "token": token[:LONGEST]})


def _source(memory_id: str) -> str:
    return f"{KIND}/{memory_id}"[:LONGEST]


PSEUDONYMS = Projection(
    name="pseudonyms",
    version=2,
    tables=(pseudonyms,),
    handlers={
        PseudonymsSealed: pseudonyms_sealed,
        PseudonymsErased: pseudonyms_erased,
        MemoryAdded: memory_added,
        MemoryUpdated: memory_updated,
    },
)
