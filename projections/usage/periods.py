"""Cuts a period into whole days and hours, which rollups answer, and edges, which request rows answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from domain.kernel.errors import InvalidInput
from domain.kernel.values import Period

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Cut(msgspec.Struct, frozen=True):
    """Disjoint parts that together are the period."""

    days: list[Period]
    hours: list[Period]
    edges: list[Period]


def cut(from_: datetime, to: datetime, *, use_days: bool = True) -> Cut:
    """Cut [from_, to) at the bounds of UTC hours and days.

    Raises InvalidInput for times without a zone and for an end before the start.
    """
    for name, at in (("from", from_), ("to", to)):
        if at.tzinfo is None:
            raise InvalidInput.at(name, "give the time zone, such as 2026-03-01T00:00:00Z")
    if to < from_:
        raise InvalidInput.at("to", "the end must not be before the start of the period")
    start, end = from_.astimezone(UTC), to.astimezone(UTC)
    first_hour, last_hour = _up(start, HOUR), _down(end, HOUR)
    if first_hour > last_hour or start == end:
        return Cut([], [], [Period(start, end)])
    edges = _parts((start, first_hour), (last_hour, end))
    first_day, last_day = _up(first_hour, DAY), _down(last_hour, DAY)
    if not use_days or first_day >= last_day:
        return Cut([], _parts((first_hour, last_hour)), edges)
    hours = _parts((first_hour, first_day), (last_day, last_hour))
    return Cut(_parts((first_day, last_day)), hours, edges)


def _parts(*bounds: tuple[datetime, datetime]) -> list[Period]:
    return [Period(start, end) for start, end in bounds if start < end]


def _down(at: datetime, unit: timedelta) -> datetime:
    hour = at.replace(minute=0, second=0, microsecond=0)
    return hour if unit == HOUR else hour.replace(hour=0)


def _up(at: datetime, unit: timedelta) -> datetime:
    down = _down(at, unit)
    return down if down == at else down + unit
