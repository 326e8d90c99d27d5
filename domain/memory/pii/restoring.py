"""Puts originals back for pseudonyms in a text that arrives in pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from domain.memory.pii.scrubbing import restore

_OPEN: Final = re.compile(r"\[(?:[A-Z_]{0,16}(?::[a-p]{0,20})?)?$")
LONGEST_TOKEN: Final = 40


class RestoringStream:
    """Holds back what may be the beginning of a pseudonym, never more than `LONGEST_TOKEN` characters."""

    def __init__(self, pseudonyms: Mapping[str, str], *, json_text: bool = False) -> None:
        self._pseudonyms = escaped(pseudonyms) if json_text else pseudonyms
        self._held = ""

    def feed(self, text: str) -> str:
        """Take the next piece and return what is certain by now, restored."""
        text = self._held + text
        tail = _OPEN.search(text, max(0, len(text) - LONGEST_TOKEN))
        cut = tail.start() if tail else len(text)
        self._held = text[cut:]
        return restore(text[:cut], self._pseudonyms)

    def flush(self) -> str:
        """Return the rest."""
        rest, self._held = self._held, ""
        return restore(rest, self._pseudonyms)


def escaped(pseudonyms: Mapping[str, str]) -> dict[str, str]:
    """Return the mapping with originals as they stand inside a JSON string."""
    return {token: json.dumps(value, ensure_ascii=False)[1:-1] for token, value in pseudonyms.items()}
