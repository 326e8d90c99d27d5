"""Which memories a reader may see: those that have not ended, and those the caller asked for.

A memory has ended once the shorter time to live, its own or its policy's of now, has passed since
`occurred_at`. Policies are few, so they become conditions; a policy that changes moves no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, FromClause, and_, false, func, literal, not_, or_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import DateTime

from domain.memory.policy import PolicyBook
from domain.memory.selection import Selection
from projections.memory.tables import memories

Conditions = list[ColumnElement[bool]]


class MemoryFilters(msgspec.Struct, frozen=True, kw_only=True):
    """Which memories are meant; what is left empty does not matter.

    `metadata` must be contained in a memory's. `since` and `until` bound `occurred_at`, half-open.
    """

    categories: tuple[str, ...] = ()
    subject_id: str | None = None
    user_id: str | None = None
    agent_id: str | None = None
    session_id: str | None = None
    metadata: Mapping[str, Any] = {}
    since: datetime | None = None
    until: datetime | None = None


def ended(book: PolicyBook, now: datetime, table: FromClause = memories) -> ColumnElement[bool]:
    """Return the condition that a memory has ended: it is hidden, and the daily clean-up destroys it."""
    m = table.c
    own_end = m.occurred_at + func.make_interval(0, 0, 0, 0, 24 * m.ttl_days)  # days of some zones are not
    over: Conditions = [and_(m.ttl_days.is_not(None), own_end <= _at(now))]
    named = sorted(book.by_category)
    for category in named:
        over += _over(m.category == category, book.of(category).ttl_days, now, m)
    elsewhere = m.category.not_in(named) if named else literal(True)
    over += _over(elsewhere, book.elsewhere().ttl_days, now, m)
    return or_(*over)


def visible(
    filters: MemoryFilters, book: PolicyBook, now: datetime, table: FromClause = memories
) -> Conditions:
    """Return the conditions under which a memory is found."""
    m = table.c
    conditions: Conditions = [not_(ended(book, now, table))]
    conditions += [not_(_reached(selection, m)) for selection in book.erasing]
    if filters.categories:
        conditions.append(m.category.in_(filters.categories))
    for name in ("subject_id", "user_id", "agent_id", "session_id"):
        value = getattr(filters, name)
        if value is not None:
            conditions.append(m[name] == value)
    if filters.metadata:
        conditions.append(m.metadata.op("@>")(literal(dict(filters.metadata), JSONB)))
    if filters.since is not None:
        conditions.append(m.occurred_at >= _at(filters.since))
    if filters.until is not None:
        conditions.append(m.occurred_at < _at(filters.until))
    return conditions


def _reached(selection: Selection, m: Any) -> ColumnElement[bool]:
    """Return the condition that a memory is being erased."""
    parts: Conditions = [literal(True)]
    if selection.subject is not None:
        parts.append(m.subject == selection.subject)
    if selection.category is not None:
        parts.append(m.category == selection.category)
    if selection.before is not None:
        parts.append(m.occurred_at < _at(selection.before))
    return and_(*parts)


def _over(meant: ColumnElement[bool], ttl_days: int | None, now: datetime, m: Any) -> Conditions:
    if ttl_days is None:
        return []
    try:
        horizon = now - timedelta(days=ttl_days)
    except OverflowError:
        return [false()]
    return [and_(meant, m.occurred_at <= _at(horizon))]


def _at(moment: datetime) -> ColumnElement[datetime]:
    return literal(moment, DateTime(timezone=True))
