"""What a selection means in SQL, for any table with columns for subject, category and time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from domain.memory.selection import Expiry, HeldScope, Selection

Parameters = dict[str, Any]


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """How a table names what selections speak of; `ttl_days` is an item's own time to live."""

    subject: str = "subject"
    category: str = "category"
    moment: str
    ttl_days: str | None = None


def condition(selection: Selection, columns: Columns) -> tuple[str, Parameters]:
    """Return the condition on rows that a selection reaches; it never holds for spared ones."""
    parts: list[str] = ["true"]
    values: Parameters = {}
    if selection.subject is not None:
        parts.append(f"{columns.subject} = %(subject)s")
        values["subject"] = selection.subject
    if selection.category is not None:
        parts.append(f"{columns.category} = %(category)s")
        values["category"] = selection.category
    if selection.before is not None:
        parts.append(f"{columns.moment} < %(before)s")
        values["before"] = selection.before
    if selection.expiry is not None:
        parts.append(_over(selection.expiry, columns, values))
    parts += [_spared(hold, number, columns, values) for number, hold in enumerate(selection.spared)]
    return " AND ".join(parts), values


def month_of(moment: datetime) -> str:
    """Return the month in which the data keys of a moment stand."""
    utc = moment.astimezone(UTC)
    return f"{utc.year:04d}-{utc.month:02d}"


def month_sql(column: str) -> str:
    """Return the SQL for the same of a column; the session's time zone does not matter."""
    return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM')"


def _over(expiry: Expiry, columns: Columns, values: Parameters) -> str:
    """Say that an item is over, as `domain.memory.policy.expiry` counts: to the second, shortest first."""
    if columns.ttl_days is None:
        return "false"
    days: Mapping[str, int | None] = expiry.by_category
    values["over_at"] = expiry.at
    values["default_days"] = expiry.default_days
    values["categories"] = list(days)
    values["days"] = list(days.values())
    policy = (
        f"CASE WHEN {columns.category} = ANY(%(categories)s::text[])"
        f" THEN (%(days)s::int[])[array_position(%(categories)s::text[], {columns.category})]"
        " ELSE %(default_days)s::int END"
    )
    age = f"extract(epoch FROM %(over_at)s::timestamptz - {columns.moment})"
    return f"{age} >= 86400.0 * least({columns.ttl_days}, {policy})"


def _spared(hold: HeldScope, number: int, columns: Columns, values: Parameters) -> str:
    parts: list[str] = ["true"]
    for column, sign, value, name in (
        (columns.subject, "=", hold.subject, "subject"),
        (columns.category, "=", hold.category, "category"),
        (columns.moment, ">=", hold.since, "since"),
        (columns.moment, "<", hold.until, "until"),
    ):
        if value is not None:
            values[f"hold_{number}_{name}"] = value
            parts.append(f"{column} {sign} %(hold_{number}_{name})s")
    return f"NOT ({' AND '.join(parts)})"
