"""Values with units: money in micro-units of US dollars, calendar periods in a tenant's time zone."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

import msgspec

MICROS = 1_000_000


def micros_of(usd: Decimal) -> int:
    """Convert dollars to integer micro-dollars, rounding half to even."""
    return int((usd * MICROS).to_integral_value(rounding=ROUND_HALF_EVEN))


def usd_text(micros: int) -> str:
    """Write micro-dollars as a plain decimal string of dollars with six decimals: `0.001250`."""
    dollars, rest = divmod(abs(micros), MICROS)
    return f"{'-' if micros < 0 else ''}{dollars}.{rest:06d}"


class Period(msgspec.Struct, frozen=True):
    """A half-open span of time [start, end), both UTC."""

    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Tell whether an instant lies in the period."""
        return self.start <= at < self.end


def month_of(at: datetime, time_zone: str = "UTC") -> Period:
    """Return the calendar month that holds `at` in a time zone, as UTC bounds."""
    utc = ZoneInfo("UTC")
    local = at.astimezone(ZoneInfo(time_zone))
    start = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = (start + timedelta(days=32)).replace(day=1)
    return Period(start.astimezone(utc), after.astimezone(utc))
