"""Marks personal data in event classes, so that the store can seal it per data subject and erase it later.

A field is marked by annotation; the store never looks at values to find out what is personal:

    class PromptRecorded(Event):
        TYPE = "orchestration.prompt_recorded"
        subject_id: str
        category: str
        prompt: Annotated[str | Erased, Personal(subject="subject_id", category="category")]
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, get_type_hints

import msgspec


class Personal(msgspec.Struct, frozen=True):
    """Seals a field with the data key of its subject.

    `subject` names the field of the same event that holds the subject's pseudonymous reference; without it
    the field's own record is the subject. `category` names the field that holds the retention category, or
    is the category itself when it starts with `=`. `moment` names the field that holds the time which the
    data is about; its month is the key's bucket, else the month of the append is. `bucket` names a field
    that may hold a bucket of its own (for data that was sealed anew); empty or None, the month counts.
    """

    subject: str | None = None
    category: str = "=general"
    moment: str | None = None
    bucket: str | None = None


class Erased(msgspec.Struct, frozen=True, tag="erased"):
    """Stands where personal data stood before its data key was destroyed."""

    key_id: str

    def __str__(self) -> str:
        return "[erased]"


@cache
def personal_fields(event_type: type) -> Mapping[str, Personal]:
    """Return the marked fields of an event class, by name; empty for most classes."""
    hints = get_type_hints(event_type, include_extras=True)
    marks: dict[str, Personal] = {}
    for name in getattr(event_type, "__struct_fields__", ()):
        mark = next((m for m in getattr(hints[name], "__metadata__", ()) if isinstance(m, Personal)), None)
        if mark is not None:
            marks[name] = mark
    return marks


def key_scope(event: Any, mark: Personal, record_id: str) -> tuple[str, str]:
    """Return (subject, category) whose data key seals a field of `event` marked with `mark`."""
    subject = getattr(event, mark.subject) if mark.subject else None
    category = mark.category
    category = category[1:] if category[0] == "=" else getattr(event, category)
    return (str(subject) if subject else f"record:{record_id}", str(category))


def key_bucket(event: Any, mark: Personal, at: datetime) -> str:
    """Return the bucket whose data key seals a field: the event's own, else a UTC month such as `2026-11`.

    `at` is the time of the append, which counts for events that tell no other.
    """
    own = getattr(event, mark.bucket) if mark.bucket else None
    if own:
        return str(own)
    moment: datetime = (getattr(event, mark.moment) if mark.moment else None) or at
    return month_bucket(moment)


def month_bucket(moment: datetime) -> str:
    """Return the bucket of a moment: its UTC month."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return _bucket(utc.year, utc.month)


@lru_cache(1200)
def _bucket(year: int, month: int) -> str:
    return f"{year:04d}-{month:02d}"
