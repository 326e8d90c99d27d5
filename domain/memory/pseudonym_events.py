"""What happens to pseudonyms: their originals are sealed, and shown to those who may see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from domain.kernel.events import Event
from domain.kernel.personal import Erased, Personal


class PseudonymsSealed(Event, frozen=True, kw_only=True):
    """Tokens took the place of personal data in a text; `originals` are theirs, in the same order.

    `source` names the text (`request/ID`, `scrub/ID`); a memory's own event carries its pseudonyms. Once the
    data key of subject, category and the month of `sealed_at` is destroyed nobody can turn the tokens back.
    The same event again means that they were sealed anew.
    """

    TYPE: ClassVar[str] = "memory.pseudonyms_sealed"

    source: str
    subject_id: str
    category: str
    sealed_at: datetime
    detector_version: int
    tokens: tuple[str, ...]
    originals: Annotated[
        tuple[str, ...] | Erased | None,
        Personal(subject="subject_id", category="category", moment="sealed_at"),
    ] = None

    def __repr__(self) -> str:
        return f"PseudonymsSealed({self.source}, {len(self.tokens)} tokens)"


class PseudonymsRevealed(Event, frozen=True, kw_only=True):
    """Somebody had pseudonyms turned back; only how many, never which originals."""

    TYPE: ClassVar[str] = "memory.pseudonyms_revealed"

    purpose: str
    revealed_at: datetime
    asked: int
    revealed: int
    sources: tuple[str, ...]


class PseudonymsErased(Event, frozen=True, kw_only=True):
    """The originals that the events at these positions sealed are gone for good; on an erasure's stream."""

    TYPE: ClassVar[str] = "memory.pseudonyms_erased"

    purge_id: str
    positions: tuple[int, ...]


EVENTS: tuple[type[Event], ...] = (PseudonymsSealed, PseudonymsRevealed, PseudonymsErased)
