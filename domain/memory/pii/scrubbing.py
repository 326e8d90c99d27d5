"""Takes personal data out of a text: removed, named by its kind, or as a token its owner can turn back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from domain.kernel.errors import InvalidInput
from domain.kernel.pii import PiiType, ScrubMode
from domain.memory.pii.detector import Detector
from domain.memory.pii.spans import Span

REDACTED: Final = "[REDACTED]"
_NIBBLES: Final = "abcdefghijklmnop"
_TOKEN_BYTES: Final = 10
_TOKEN: Final = re.compile(rf"\[(?:{'|'.join(PiiType)}):[a-p]{{{2 * _TOKEN_BYTES}}}\]")

KeyedFunction = Callable[[bytes], bytes]
"""A pseudo-random function under a secret key, such as HMAC-SHA-256, with at least ten bytes of output."""


class Scrubbed(msgspec.Struct, frozen=True):
    """A text without personal data; `pseudonyms` (token to original) is personal data itself: seal it."""

    text: str
    counts: dict[PiiType, int]
    pseudonyms: dict[str, str]


class Replaces(Protocol):
    """Writes what takes the place of spans."""

    def replace(self, text: str, spans: Sequence[Span]) -> str:
        """Return the text with each span replaced; spans are sorted and do not overlap."""
        ...


class Replacements:
    """Writes replacements, and keeps count of them."""

    def __init__(self, mode: ScrubMode, keyed: KeyedFunction | None) -> None:
        if mode is ScrubMode.PSEUDONYM and keyed is None:
            raise InvalidInput.at(
                "/mode", "mode pseudonym needs a keyed function; pass one, or use placeholder"
            )
        self.counts: dict[PiiType, int] = {}
        self.pseudonyms: dict[str, str] = {}
        self._numbers: dict[PiiType, dict[str, int]] = {}
        self._mode = mode
        self._keyed = keyed

    def replace(self, text: str, spans: Sequence[Span]) -> str:
        """Return the text with each span replaced; spans are sorted and do not overlap."""
        parts: list[str] = []
        at = 0
        for span in spans:
            parts += (text[at : span.start], self.written(span.type, text[span.start : span.end]))
            at = span.end
        return "".join((*parts, text[at:]))

    def written(self, kind: PiiType, value: str) -> str:
        """Return what stands in a value's place, and count it."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self._mode is ScrubMode.REDACT:
            return REDACTED
        if self._mode is ScrubMode.PLACEHOLDER or self._keyed is None:
            return self._numbered(kind, value)
        token = _token(kind, value, self._keyed)
        self.pseudonyms[token] = value
        return token

    def _numbered(self, kind: PiiType, value: str) -> str:
        """Write the first value of a kind as `[EMAIL]`, other ones as `[EMAIL_2]`, each always the same."""
        seen = self._numbers.setdefault(kind, {})
        number = seen.setdefault(value, len(seen) + 1)
        return f"[{kind}]" if number == 1 else f"[{kind}_{number}]"


class Scrubber:
    """Scrubs whole texts; `stream.StreamScrubber` does the same piece by piece."""

    def __init__(self, detector: Detector, mode: ScrubMode, keyed: KeyedFunction | None = None) -> None:
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


def tokens_in(text: str) -> list[str]:
    """Return the different pseudonyms in a text, in order."""
    return list(dict.fromkeys(_TOKEN.findall(text)))


def of_text(pseudonyms: Mapping[str, str], text: str) -> dict[str, str]:
    """Return the part of a map whose tokens stand in a text."""
    return (
        {token: pseudonyms[token] for token in tokens_in(text) if token in pseudonyms} if pseudonyms else {}
    )


def restore(text: str, pseudonyms: Mapping[str, str]) -> str:
    """Put the originals back for the tokens the mapping knows; other text stays as it is."""
    return _TOKEN.sub(lambda match: pseudonyms.get(match[0], match[0]), text)


def _token(kind: PiiType, value: str, keyed: KeyedFunction) -> str:
    """Write ten bytes in the letters a to p: no digit, so that a token is never taken for personal data."""
    digest = keyed(f"{kind}\0{value}".encode("utf-8", "surrogatepass"))[:_TOKEN_BYTES]
    letters = "".join(_NIBBLES[byte >> 4] + _NIBBLES[byte & 15] for byte in digest)
    return f"[{kind}:{letters}]"
