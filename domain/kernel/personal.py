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
from functools import cache
from typing import Any, get_type_hints

import msgspec


class Personal(msgspec.Struct, frozen=True):
    """Seals a field with the data key of its subject.

    `subject` names the field of the same event that holds the subject's pseudonymous reference; without it
    the field's own record is the subject. `category` names the field that holds the retention category, or
    is the category itself when it starts with `=`.
    """

    subject: str | None = None
    category: str = "=general"


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
