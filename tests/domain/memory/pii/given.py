"""Detectors and scrubbers as the product puts them together."""

from __future__ import annotations

import hashlib
import hmac

from hypothesis import strategies as st

from application.memory.pii_phone_plans import LibraryPhonePlans
from domain.kernel.pii import ScrubMode
from domain.memory.pii.detector import Detector
from domain.memory.pii.scrubbing import Scrubber
from tests.domain.memory.pii.cases import FOUND, NOTHING

DETECTOR = Detector(LibraryPhonePlans())

WORDS = (
    "the quick brown fox ",
    "and call ",
    " at ",
    " dot ",
    " com",
    "\n",
    ", ",
    "(",
    "+",
    "-",
    ". ",
    "1",
    "12345",
    "a",
    "@",
    "x",
)
PIECES = (*(text for text, _ in FOUND), *NOTHING, *WORDS)

mixed_texts = st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.lists(
    st.sampled_from(PIECES), max_size=60
).map(" ".join)
dense_texts = st.text("0123456789 -.@ab/()+x\n", max_size=400)


def found_in(text: str) -> tuple[tuple[str, str], ...]:
    """Return `(type, value)` of each span."""
    return tuple((str(span.type), text[span.start : span.end]) for span in DETECTOR.detect(text))


def keyed(data: bytes) -> bytes:
    """A keyed function, as a tenant's key gives it."""
    return hmac.digest(b"k" * 32, data, hashlib.sha256)


def scrubber(mode: ScrubMode = ScrubMode.PLACEHOLDER) -> Scrubber:
    """A scrubber of that mode."""
    return Scrubber(DETECTOR, mode, keyed)
