"""Scrubs JSON values: every string, every key, and numbers that are personal data without quotes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from domain.kernel.errors import InvalidInput
from domain.memory.pii.detector import Detector
from domain.memory.pii.scrubbing import Replacements
from domain.memory.pii.segments import LEFT
from domain.memory.pii.spans import Span

DEEPEST: Final = 64
_SMALLEST_NUMBER: Final = 10**5


def scrub_value(value: Any, detector: Detector, replacements: Replacements) -> Any:
    """Return a copy of a text or JSON value without personal data; an object's key labels its values.

    Raises PiiDetectionFailed, and InvalidInput for a value that is nested deeper than `DEEPEST`.
    """
    return _scrubbed(value, "", detector, replacements, DEEPEST)


def _scrubbed(value: Any, key: str, detector: Detector, replacements: Replacements, depth: int) -> Any:
    if isinstance(value, str):
        return _text(value, key, detector, replacements)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, key, detector, replacements)
    if not isinstance(value, Mapping | list | tuple):
        return value
    if depth == 0:
        raise InvalidInput(f"the value is nested deeper than {DEEPEST} levels; flatten it")
    if isinstance(value, Mapping):
        return _object(value, detector, replacements, depth)
    return [_scrubbed(item, key, detector, replacements, depth - 1) for item in value]


def _object(
    value: Mapping[Any, Any], detector: Detector, replacements: Replacements, depth: int
) -> dict[str, Any]:
    clean: dict[str, Any] = {}
    for name, item in value.items():
        key = str(name)
        clean[_free(clean, _text(key, "", detector, replacements))] = _scrubbed(
            item, key, detector, replacements, depth - 1
        )
    return clean


def _free(taken: Mapping[str, Any], key: str) -> str:
    """Return the key, or the key with a number, when two keys became the same."""
    number, free = 2, key
    while free in taken:
        free, number = f"{key} ({number})", number + 1
    return free


def _text(text: str, key: str, detector: Detector, replacements: Replacements) -> str:
    label = f'{key[-LEFT:]}": "' if key else ""
    spans = detector.detect(label + text)
    if not spans:
        return text
    moved = [
        Span(max(0, span.start - len(label)), span.end - len(label), span.type)
        for span in spans
        if span.end > len(label)
    ]
    return replacements.replace(text, moved)


def _number(number: float, key: str, detector: Detector, replacements: Replacements) -> Any:
    if abs(number) < _SMALLEST_NUMBER:
        return number
    written = str(int(number)) if number == number // 1 and abs(number) < 10**19 else str(number)
    clean = _text(written, key, detector, replacements)
    return number if clean == written else clean
