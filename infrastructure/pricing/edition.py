"""The compact edition of the bundled prices: small in memory, and matched as `genai-prices` matches.

Importing that package's data costs some 95 MB in a process for good. So a short-lived process extracts what
pricing needs into one file, and every process of the product reads that file (about half a megabyte).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time

import msgspec

from domain.usage.pricing import UnitPrices

_COMPACT_DATE = re.compile(r"(-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


class Clause(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One test of a lower-case name: `op` with a text, or `any` and `all` of further clauses."""

    op: str
    text: str = ""
    clauses: tuple[Clause, ...] = ()

    def matches(self, name: str) -> bool:
        """Tell whether the name passes."""
        test = _TESTS.get(self.op)
        if test is not None:
            return test(name, self.text)
        each = (clause.matches(name) for clause in self.clauses)
        return any(each) if self.op == "any" else all(each)


_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "equals": str.__eq__,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": str.__contains__,
    "regex": lambda name, pattern: re.search(pattern, name) is not None,
}


class DatedPrices(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Prices that hold from a day on, or between two times of each day (UTC); without either, always.

    `prices` is None for what is not sold by text tokens.
    """

    prices: UnitPrices | None
    from_day: date | None = None
    from_time: time | None = None
    to_time: time | None = None

    def holds(self, at: datetime) -> bool:
        """Tell whether these prices apply at an instant."""
        utc = at.astimezone(UTC)
        if self.from_day is not None:
            return utc.date() >= self.from_day
        if self.from_time is not None and self.to_time is not None:
            now = utc.time()
            if self.to_time < self.from_time:
                return now >= self.from_time or now < self.to_time
            return self.from_time <= now < self.to_time
        return True


class Model(msgspec.Struct, frozen=True, array_like=True):
    """One model: how its names look, and its prices, of which later ones take precedence."""

    match: Clause
    dated: tuple[DatedPrices, ...]
    context_window: int | None = None

    def at(self, at: datetime) -> UnitPrices | None:
        """Return the prices at an instant; the first ones when none says that it holds."""
        return next((each.prices for each in reversed(self.dated) if each.holds(at)), self.dated[0].prices)


class Provider(msgspec.Struct, frozen=True, array_like=True):
    """One provider; its models stay encoded until somebody asks for one of them.

    `also` names providers whose models this one sells too.
    """

    id: str
    address: str
    also: tuple[str, ...]
    models: msgspec.Raw


class Edition(msgspec.Struct, frozen=True, array_like=True):
    """All providers of one version of the package."""

    version: str
    providers: tuple[Provider, ...]


def dashed_date(name: str) -> str:
    """Rewrite a compact date in a model's name, `-20251211`, as `-2025-12-11`; impossible dates stay."""

    def replace(found: re.Match[str]) -> str:
        year, month, day = (int(found.group(index)) for index in (2, 3, 4))
        try:
            return f"-{date(year, month, day).isoformat()}"
        except ValueError:
            return found.group(0)

    return _COMPACT_DATE.sub(replace, name)
