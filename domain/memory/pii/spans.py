"""What a detector answers: where personal data stands, and of which kind it is."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from domain.kernel.errors import Unavailable
from domain.kernel.pii import PiiType


class Span(msgspec.Struct, frozen=True):
    """A stretch of personal data, `[start, end)` in code points of the text."""

    start: int
    end: int
    type: PiiType


class PiiDetectionFailed(Unavailable):
    """The detector could not finish: the text must be refused, never passed on unscrubbed."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            "pii detector", f"personal data could not be searched for ({cause}); the text is refused"
        )


def without_overlaps(found: Iterable[Span]) -> list[Span]:
    """Sort spans; of two that overlap the longer one stays, of equals the first found."""
    kept: list[Span] = []
    for span in sorted(found, key=lambda one: (one.start, one.start - one.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
        elif span.end - span.start > kept[-1].end - kept[-1].start:
            kept[-1] = span
    return kept
