"""What an erasure reaches and what a legal hold protects, as conditions on subject, category and time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from domain.kernel.errors import FieldError, InvalidInput


class HeldScope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a hold protects: what meets all conditions that are given; `since` and `until` are half-open."""

    hold_id: str
    subject: str | None = None
    category: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def holds(self, subject: str | None, category: str, at: datetime) -> bool:
        """Tell whether an item of this subject, category and time is protected."""
        return (
            self.subject in {None, subject}
            and self.category in {None, category}
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
        )


class Expiry(msgspec.Struct, frozen=True, kw_only=True):
    """Which memories are over at a moment: by the shortest of their own days and what policies give them."""

    at: datetime
    default_days: int | None = None
    by_category: Mapping[str, int | None] = {}

    def days(self, category: str) -> int | None:
        """Return the days that a policy gives a category, None for ever."""
        return self.by_category.get(category, self.default_days)


class Selection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an erasure reaches: what meets all conditions that are given.

    `subject` is the pseudonymous reference of a person. `before` bounds the time that an item is about. With
    `expiry` only what is over counts. `spared` items stay, because a legal hold protects them.
    """

    subject: str | None = None
    category: str | None = None
    before: datetime | None = None
    expiry: Expiry | None = None
    spared: tuple[HeldScope, ...] = ()

    def reaches(self, subject: str | None, category: str, at: datetime) -> bool:
        """Tell whether an item may be reached; whether it is over is not looked at."""
        return (
            self.subject in {None, subject}
            and self.category in {None, category}
            and (self.before is None or at < self.before)
            and not any(hold.holds(subject, category, at) for hold in self.spared)
        )

    def meets(self, hold: HeldScope) -> bool:
        """Tell whether anything could be both reached and protected."""
        return (
            (None in {self.subject, hold.subject} or self.subject == hold.subject)
            and (None in {self.category, hold.category} or self.category == hold.category)
            and (self.before is None or hold.since is None or hold.since < self.before)
            and hold not in self.spared
        )


def check_selection(selection: Selection, at: datetime) -> None:
    """Raise InvalidInput for a selection without any condition, or by a time that is not over."""
    if selection.subject is None and selection.category is None and selection.before is None:
        pointers = ("/subject_id", "/category", "/before_date")
        raise InvalidInput(
            "a purge needs at least one selector: subject_id, category or before_date",
            [FieldError(pointer, "give at least one of the three") for pointer in pointers],
        )
    if selection.before is not None and selection.before > at:
        raise InvalidInput.at(
            "/before_date", "this is in the future; only what has happened can be selected by its date"
        )
