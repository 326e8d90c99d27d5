"""Latencies as histograms that add up: what several processes measured becomes one median."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log

GROWTH = 1.1
LAST_BIN = 250  # years
Bins = Mapping[int, float]
"""How many durations fell into each bin; counts may be fractions where old ones fade."""


def bin_of(milliseconds: int) -> int:
    """Return the bin of a duration: 0 for less than 1 ms, else n for [1.1^(n-1), 1.1^n)."""
    return 0 if milliseconds < 1 else min(1 + floor(log(milliseconds, GROWTH)), LAST_BIN)


def quantile_ms(bins: Bins, share: float) -> float | None:
    """Return the duration that a share of all does not exceed, at most 5 % off; None without any."""
    rank = share * sum(bins.values())
    if not bins or rank <= 0:
        return None
    below = 0.0
    for number in sorted(bins):
        below += bins[number]
        if below >= rank:
            return middle_ms(number)
    return middle_ms(max(bins))


def mean_ms(bins: Bins) -> float | None:
    """Return the mean of the durations, within the width of the bins; None without any."""
    count = sum(bins.values())
    return round(sum(middle_ms(n) * many for n, many in bins.items()) / count, 1) if count else None


def middle_ms(number: int) -> float:
    """Return the duration that stands for a bin."""
    return 0.0 if number == 0 else round((GROWTH ** (number - 1) + GROWTH**number) / 2, 1)
