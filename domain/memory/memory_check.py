"""What a new memory must keep to; each breach is named by its JSON pointer, and nothing of it is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.kernel.errors import FieldError, InvalidInput
from domain.memory.policy_check import LONGEST_TTL_DAYS

LONGEST_CONTENT = 32_000
LONGEST_ID = 256
MOST_METADATA_KEYS = 100
LARGEST_METADATA = 16_384
DEEPEST_METADATA = 8
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
CLOCKS_DIFFER = timedelta(minutes=5)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ESCAPES = str.maketrans({"~": "~0", "/": "~1", "\0": "\ufffd"})


def check_memory(
    content: str,
    ids: Mapping[str, str | None],
    metadata: Mapping[str, Any],
    ttl_days: int | None,
    at: str = "",
) -> None:
    """Raise InvalidInput that names every unusable field; `at` is the pointer of the memory in its body."""
    errors = [
        *content_errors(content, f"{at}/content"),
        *(error for name, value in ids.items() if value for error in text_errors(value, f"{at}/{name}")),
        *metadata_errors(metadata, f"{at}/metadata"),
        *ttl_errors(ttl_days, f"{at}/ttl_days"),
    ]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}{more}", errors)


def content_errors(content: str, pointer: str) -> Iterator[FieldError]:
    """Yield what is wrong with a content: blank, too long, or with characters that are none of a text."""
    if not content.strip():
        yield FieldError(pointer, "there is nothing to remember; give a text")
    if len(content) > LONGEST_CONTENT:
        yield FieldError(
            pointer,
            f"{len(content)} characters; at most {LONGEST_CONTENT}: split it, or ingest it as a document",
        )
    yield from text_errors(content, pointer)


def text_errors(text: str, pointer: str) -> Iterator[FieldError]:
    """Yield where a text holds control characters other than tab and line ends."""
    found = _CONTROL.search(text)
    if found:
        yield FieldError(
            pointer, f"character {found.start()} is the control character U+{ord(found[0]):04X}; remove it"
        )


def metadata_errors(metadata: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    """Yield what is wrong with metadata: too many keys, too deep, or texts that are none."""
    if len(metadata) > MOST_METADATA_KEYS:
        yield FieldError(pointer, f"{len(metadata)} keys; at most {MOST_METADATA_KEYS}")
    yield from _value_errors(metadata, pointer, DEEPEST_METADATA)


def _value_errors(value: Any, pointer: str, depth: int) -> Iterator[FieldError]:
    if isinstance(value, str):
        yield from text_errors(value, pointer)
    elif isinstance(value, Mapping | list) and not depth:
        yield FieldError(pointer, f"nested deeper than {DEEPEST_METADATA} levels; flatten it")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            inner = f"{pointer}/{key.translate(_ESCAPES)}"
            yield from text_errors(key, inner)
            yield from _value_errors(item, inner, depth - 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _value_errors(item, f"{pointer}/{index}", depth - 1)


def ttl_errors(ttl_days: int | None, pointer: str) -> Iterator[FieldError]:
    """Yield what is wrong with a memory's own time to live."""
    if ttl_days is not None and not 0 <= ttl_days <= LONGEST_TTL_DAYS:
        yield FieldError(pointer, f"give a number of days from 0 to {LONGEST_TTL_DAYS}, or null")


def moment_of(text: str | None, now: datetime, pointer: str = "/occurred_at") -> datetime:
    """Return when something happened, UTC: an ISO 8601 time or date, UTC when it names no zone; now if None.

    Raises InvalidInput for what is no time, lies before 1900, or lies in the future (clocks may differ by
    five minutes; then it counts as now).
    """
    if text is None:
        return now
    try:
        found = datetime.fromisoformat(text.strip())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput.at(pointer, "this is no ISO 8601 time such as 2026-10-01T00:00:00Z") from None
    if found < EARLIEST:
        raise InvalidInput.at(pointer, "this lies before 1900; give the time at which it happened")
    if found > now + CLOCKS_DIFFER:
        raise InvalidInput.at(pointer, "this lies in the future; a memory is of something that has happened")
    return min(found, now)
