"""Billing periods: months from one anchor day to the next, in the tenant's time zone; instants are UTC."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time
from fractions import Fraction
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.kernel.values import Period


def is_time_zone(name: str) -> bool:
    """Tell whether a name stands in the IANA database."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def midnight(at: datetime, zone: str) -> datetime:
    """Return the start of the local day that holds an instant."""
    return _start_of(at.astimezone(ZoneInfo(zone)).date(), zone)


def month_around(at: datetime, anchor_day: int, zone: str) -> Period:
    """Return the whole billing month that holds an instant; day 31 means a month's last day."""
    today = at.astimezone(ZoneInfo(zone)).date()
    this = _anchor(today.year, today.month, anchor_day)
    if today >= this:
        return Period(_start_of(this, zone), _start_of(_anchor(*_month_after(this), anchor_day), zone))
    return Period(_start_of(_anchor(*_month_before(this), anchor_day), zone), _start_of(this, zone))


def share_of_month(part: Period, month: Period, zone: str) -> Fraction:
    """Return which part of a billing month a period is, counted in local days."""
    return Fraction(_days(part, zone), _days(month, zone))


def _days(period: Period, zone: str) -> int:
    there = ZoneInfo(zone)
    return (period.end.astimezone(there).date() - period.start.astimezone(there).date()).days


def _start_of(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def _anchor(year: int, month: int, anchor_day: int) -> date:
    return date(year, month, min(anchor_day, monthrange(year, month)[1]))


def _month_after(day: date) -> tuple[int, int]:
    return (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)


def _month_before(day: date) -> tuple[int, int]:
    return (day.year - 1, 12) if day.month == 1 else (day.year, day.month - 1)
