"""Folds sealed pseudonyms: one row a token, at the newest event that seals its original."""

from __future__ import annotations

from collections.abc import Iterable

from domain.kernel.events import Envelope
from domain.memory.pseudonym_events import PseudonymsSealed
from projections.memory.pseudonyms_table import pseudonyms
from projections.ops import RowOp, Upsert
from projections.projection import Projection

LONGEST = 512  # characters of a name that an index can hold


def pseudonyms_sealed(envelope: Envelope[PseudonymsSealed]) -> Iterable[RowOp]:
    """Keep where each token's original is sealed."""
    event = envelope.event
    for token in dict.fromkeys(event.tokens):
        yield Upsert(
            pseudonyms,
            {
                "tenant": envelope.tenant,
                "token": token[:LONGEST],
                "source": event.source[:LONGEST],
                "subject": event.subject_id[:LONGEST],
                "category": event.category[:LONGEST],
                "sealed_at": event.sealed_at,
                "position": envelope.position,
            },
        )


PSEUDONYMS = Projection(
    name="pseudonyms",
    version=1,
    tables=(pseudonyms,),
    handlers={PseudonymsSealed: pseudonyms_sealed},
)
