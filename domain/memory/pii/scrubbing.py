"""Takes personal data out of a text: removed, named by its kind, or as a token its owner can turn back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from domain.kernel.errors import InvalidInput
from domain.memory.pii.detector import Detector
from domain.memory.pii.spans import PiiType, Span

REDACTED: Final = "[REDACTED]"
_NIBBLES: Final = "abcdefghijklmnop"
_TOKEN_BYTES: Final = 10
_TOKEN: Final = re.compile(rf"\[(?:{'|'.join(PiiType)}):[a-p]{{{2 * _TOKEN_BYTES}}}\]")

KeyedFunction = Callable[[bytes], bytes]
"""A pseudo-random function under a secret key, such as HMAC-SHA-256, with at least ten bytes of output."""


class Mode(StrEnum):
    """What stands where personal data stood."""

    REDACT = "redact"
    PLACEHOLDER = "placeholder"
    PSEUDONYM = "pseudonym"


class Scrubbed(msgspec.Struct, frozen=True):
    """A text without personal data; `pseudonyms` (token to original) is personal data itself: seal it."""

    text: str
    counts: dict[PiiType, int]
    pseudonyms: dict[str, str]


class Replacements:
    """Writes replacements, and keeps count of them."""

    def __init__(self, mode: Mode, keyed: KeyedFunction | None) -> None:
        if mode is Mode.PSEUDONYM and keyed is None:
            raise InvalidInput.at(
                "/mode", "mode pseudonym needs a keyed function; pass one, or use placeholder"
            )
        self.counts: dict[PiiType, int] = {}
        self.pseudonyms: dict[str, str] = {}
        self._mode = mode
        self._keyed = keyed

    def replace(self, text: str, spans: Sequence[Span]) -> str:
        """Return the text with each span replaced; spans are sorted and do not overlap."""
        parts: list[str] = []
        at = 0
        for span in spans:
            parts += (text[at : span.start], self._replacement(span.type, text[span.start : span.end]))
            at = span.end
        return "".join((*parts, text[at:]))

    def _replacement(self, kind: PiiType, value: str) -> str:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self._mode is Mode.REDACT:
            return REDACTED
        if self._mode is Mode.PLACEHOLDER or self._keyed is None:
            return f"[{kind}]"
        token = _token(kind, value, self._keyed)
        self.pseudonyms[token] = value
        return token


class Scrubber:
    """Scrubs whole texts; `stream.StreamScrubber` does the same piece by piece."""

    def __init__(self, detector: Detector, mode: Mode, keyed: KeyedFunction | None = None) -> None:
        self.detector = detector
        self._mode = mode
        self._keyed = keyed
        self.replacements()

    def replacements(self) -> Replacements:
        """Begin a new account of replacements."""
        return Replacements(self._mode, self._keyed)

    def scrub(self, text: str) -> Scrubbed:
        """Return the text without personal data; raises PiiDetectionFailed: then refuse the text."""
        replacements = self.replacements()
        clean = replacements.replace(text, self.detector.detect(text))
        return Scrubbed(clean, replacements.counts, replacements.pseudonyms)


def restore(text: str, pseudonyms: Mapping[str, str]) -> str:
    """Put the originals back for the tokens the mapping knows; other text stays as it is."""
    return _TOKEN.sub(lambda match: pseudonyms.get(match[0], match[0]), text)


def _token(kind: PiiType, value: str, keyed: KeyedFunction) -> str:
    """Write ten bytes in the letters a to p: no digit, so that a token is never taken for personal data."""
    digest = keyed(f"{kind}\0{value}".encode("utf-8", "surrogatepass"))[:_TOKEN_BYTES]
    letters = "".join(_NIBBLES[byte >> 4] + _NIBBLES[byte & 15] for byte in digest)
    return f"[{kind}:{letters}]"
