"""Latencies as histograms that add up: what several processes measured becomes one median."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import floor, log

BUCKET_S = 10
BUCKETS = 6
FADE = 0.9  # of the usual latencies, for each bucket that leaves the window: half is gone in a minute of use
GROWTH = 1.1
LAST_BIN = 250  # years
KEPT_S = 0.25
Bins = Mapping[int, float]
"""How many durations fell into each bin; counts may be fractions where old ones fade."""


class Latencies:
    """The latencies of one target in the last minute, and behind them the usual ones, which fade with use."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[int, int]] = {}
        self.usual: dict[int, float] = {}
        self.heard = 0.0
        self.count = 0  # measurements ever taken in
        self._forgotten = 0

    def add(self, at: float, bins: Mapping[int, int]) -> None:
        """Take measurements in; `at` is in seconds since the epoch."""
        if not bins:
            return
        self.heard = max(self.heard, at)
        bucket = self._buckets.setdefault(int(at // BUCKET_S), {})
        for number, count in bins.items():
            bucket[number] = bucket.get(number, 0) + count
            self.count += count

    def window(self, now: float) -> dict[int, int]:
        """Return the histogram of the last minute."""
        first = int(now // BUCKET_S) - BUCKETS + 1
        return added(bins for start, bins in self._buckets.items() if start >= first)

    def typical_ms(self, now: float, share: float) -> float | None:
        """Return a quantile of the last minute, or else of before; None when nothing was ever measured."""
        self.forget(now)
        return quantile_ms(self.window(now) or self.usual, share)

    def known(self, now: float) -> float:
        """Return how many measurements `typical_ms` speaks of."""
        self.forget(now)
        return sum(self.window(now).values()) or sum(self.usual.values())

    def forget(self, now: float) -> None:
        """Move what is older than the window to the usual latencies."""
        first = int(now // BUCKET_S) - BUCKETS + 1
        if first <= self._forgotten:
            return
        self._forgotten = first
        for start in sorted(start for start in self._buckets if start < first):
            leaving = self._buckets.pop(start)
            kept = {n: many * FADE for n, many in self.usual.items() if many > 0.01}
            for number, count in leaving.items():
                kept[number] = kept.get(number, 0.0) + count
            self.usual = kept

    def begin_anew(self) -> None:
        """Drop the last minute."""
        self._buckets.clear()


def still_holds(age_s: float, newer: int, measured: int) -> bool:
    """Tell whether what was found from so many measurements hardly differs from what would be found now."""
    return 0 <= age_s < KEPT_S and newer <= measured // 100


def added(histograms: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Return several histograms as one."""
    total: dict[int, int] = {}
    for bins in histograms:
        for number, count in bins.items():
            total[number] = total.get(number, 0) + count
    return total


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
