"""What a client may ask about personal data in texts, and what is answered."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from application.bus import Command
from domain.kernel.pii import PiiType, ScrubMode
from domain.memory.pii.spans import Span

LONGEST_TEXT: Final = 200_000
SEARCHERS: Final = ("admin", "operator", "service")
REVEALERS: Final = ("admin",)
Text = Annotated[str, Meta(max_length=LONGEST_TEXT)]
Entities = Annotated[
    tuple[PiiType, ...],
    Meta(min_length=1, max_length=32, description="Kinds to look for; the four standard ones when left off."),
]
Identifier = Annotated[str, Meta(min_length=1, max_length=256)]


class DetectPii(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Find personal data in a text (roles admin, operator, service); nothing is stored. Answers PiiFound."""

    text: Text
    entities: Entities | None = None

    def __repr__(self) -> str:
        return f"DetectPii({len(self.text)} characters)"


class ScrubText(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take personal data out of a text (roles admin, operator, service); answers TextScrubbed.

    Mode `pseudonym` needs `subject_id`, the person whose data key makes the tokens and seals what they stand
    for; `category` is the retention category that it is sealed under. The other modes store nothing.
    """

    text: Text
    mode: ScrubMode = ScrubMode.PLACEHOLDER
    entities: Entities | None = None
    subject_id: Identifier | None = None
    category: Identifier = "general"

    def __repr__(self) -> str:
        return f"ScrubText({len(self.text)} characters, {self.mode})"


class RevealPseudonyms(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Turn the pseudonyms in a text back (role admin); answers TextRevealed. That it happened is recorded."""

    text: Text
    purpose: Annotated[
        str, Meta(min_length=3, max_length=500, description="Why; recorded, so leave personal data out.")
    ]

    def __repr__(self) -> str:
        return f"RevealPseudonyms({len(self.text)} characters)"


class PiiFound(msgspec.Struct, frozen=True, kw_only=True):
    """Where personal data stands, `[start, end)` in code points, and how often each kind."""

    spans: list[Span]
    counts: dict[str, int]
    detector_version: int


class TextScrubbed(msgspec.Struct, frozen=True, kw_only=True):
    """The text without personal data, and how often each kind was in it."""

    text: str
    counts: dict[str, int]
    detector_version: int


class TextRevealed(msgspec.Struct, frozen=True, kw_only=True):
    """The text with originals where they still exist: `erased` ones are gone, `unknown` never were."""

    text: str
    revealed: int
    erased: int
    unknown: int
