"""Replaces inside a text that is JSON, piece by piece, so that it stays JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from domain.memory.pii.scrubbing import Replacements
from domain.memory.pii.spans import Span

_NUMERIC: Final = frozenset("+-.0123456789eE")


class JsonTextReplacements:
    """Writes replacements into strings as they are, and in the place of bare numbers as strings."""

    def __init__(self, replacements: Replacements) -> None:
        self._replacements = replacements
        self._in_string = False
        self._escaped = False

    def replace(self, text: str, spans: Sequence[Span]) -> str:
        """Return the next piece with each span replaced; pieces come in order, cut anywhere but in a span."""
        parts: list[str] = []
        at = 0
        for span in spans:
            self._pass(text, at, span.start)
            written = self._replacements.written(span.type, text[span.start : span.end])
            start, end = span.start, span.end  # a span may begin with the letter of an escape such as \\n
            if self._escaped:
                start += 5 if text[start] == "u" else 1
                self._escaped = False
            if not self._in_string:
                start, end = _whole_number(text, at, start, end)
                written = json.dumps(written)
            parts += (text[at:start], written)
            at = end
        self._pass(text, at, len(text))
        return "".join((*parts, text[at:]))

    def _pass(self, text: str, start: int, end: int) -> None:
        for character in text[start:end]:
            if self._escaped:
                self._escaped = False
            elif character == "\\":
                self._escaped = self._in_string
            elif character == '"':
                self._in_string = not self._in_string


def _whole_number(text: str, floor: int, start: int, end: int) -> tuple[int, int]:
    while start > floor and text[start - 1] in _NUMERIC:
        start -= 1
    while end < len(text) and text[end] in _NUMERIC:
        end += 1
    return start, end
