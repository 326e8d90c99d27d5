"""Cuts a period into whole months, days and hours, which rollups answer, and edges of request rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from domain.kernel.errors import InvalidInput
from domain.kernel.values import Period

LADDER = ("edge", "hour", "day", "month")
LONGEST = {"hour": timedelta(hours=1), "day": timedelta(days=1), "month": timedelta(days=31)}
Grain = Literal["hour", "day", "month"]


class Cut(msgspec.Struct, frozen=True):
    """Disjoint parts that together are the period."""

    months: list[Period]
    days: list[Period]
    hours: list[Period]
    edges: list[Period]


def cut(from_: datetime, to: datetime, *, largest: Grain = "month") -> Cut:
    """Cut [from_, to) at the bounds of UTC months, days and hours; into no parts larger than `largest`.

    Raises InvalidInput for times without a zone and for an end before the start.
    """
    for name, at in (("from", from_), ("to", to)):
        if at.tzinfo is None:
            raise InvalidInput.at(name, "give the time zone, such as 2026-03-01T00:00:00Z")
    if to < from_:
        raise InvalidInput.at("to", "the end must not be before the start of the period")
    inner: Period | None = Period(from_.astimezone(UTC), to.astimezone(UTC))
    parts: dict[str, list[Period]] = {grain: [] for grain in LADDER}
    around = "edge"
    for grain in LADDER[1 : LADDER.index(largest) + 1]:
        if inner is not None:
            inner, parts[around] = _inside(inner, grain)
            around = grain
    if inner is not None:
        parts[around] = [inner]
    return Cut(parts["month"], parts["day"], parts["hour"], parts["edge"])


def _inside(period: Period, grain: str) -> tuple[Period | None, list[Period]]:
    """Return what lies between whole months, days or hours (None: nothing does), and what is around it."""
    first, last = _down(period.start, grain), _down(period.end, grain)
    if first < period.start:
        first = _down(first + LONGEST[grain], grain)
    if first >= last:
        return None, [period]
    return Period(first, last), _parts((period.start, first), (last, period.end))


def _parts(*bounds: tuple[datetime, datetime]) -> list[Period]:
    return [Period(start, end) for start, end in bounds if start < end]


def _down(at: datetime, grain: str) -> datetime:
    hour = at.replace(minute=0, second=0, microsecond=0)
    day = hour if grain == "hour" else hour.replace(hour=0)
    return day.replace(day=1) if grain == "month" else day
