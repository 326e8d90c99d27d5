"""The circuit breaker of one target: what its answers of the last minute say, and who may call it next.

It is a fold over what attempts met. Every process folds what all processes saw, so all come to the same
state; all times are seconds since the epoch and come in with what is folded. `docs/routing.md` draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from domain.orchestration.budget import FEWEST_FOR_P95, Pace
from domain.orchestration.health import (
    DEGRADED_RATE,
    FAILURES_IN_A_ROW,
    FEWEST_FOR_LATENCY,
    FEWEST_FOR_RATES,
    SLOW_FACTOR,
    SUCCESSES_IN_A_ROW,
    UNHEALTHY_RATE,
)
from domain.orchestration.health_events import HealthStatus
from domain.orchestration.latencies import (
    BUCKET_S,
    BUCKETS,
    Latencies,
    added,
    mean_ms,
    quantile_ms,
    still_holds,
)

WINDOW_S = BUCKET_S * BUCKETS
REMEMBERED_S = 300.0
OPEN_S = (3.0, 6.0, 12.0, 15.0)
"""How long a target is left alone: after opening, and after each failed probe in a row."""
BETWEEN_PROBES_S = 1.0
CALMER = 0.6  # hysteresis: a degraded target is healthy again well below what degraded it
LONGEST_THROTTLE_S = 3600.0
NOT_KEPT = (float("-inf"), 0, None)
NEVER = (float("-inf"), 0, 1.0, "")

Gate = Literal["free", "open", "half_open", "throttled"]


class Seen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What attempts at one target met since the last report, up to `at`.

    `trailing` counts the failures after the last success. `bins` is the histogram of the time that streams
    took to their first content, `whole` of the time that other answers took in all; both of successes.
    `throttled_until` is set when the provider asked to be left alone.
    """

    at: float
    ok: int = 0
    failed: int = 0
    trailing: int = 0
    throttled_until: float = 0.0
    bins: Mapping[int, int] = {}
    whole: Mapping[int, int] = {}

    def then(self, later: Seen) -> Seen:
        """Return this report and a later one as one."""
        return Seen(
            at=max(self.at, later.at),
            ok=self.ok + later.ok,
            failed=self.failed + later.failed,
            trailing=later.trailing if later.ok else self.trailing + later.failed,
            throttled_until=max(self.throttled_until, later.throttled_until),
            bins=added((self.bins, later.bins)),
            whole=added((self.whole, later.whole)),
        )


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The window in numbers; None where there was nothing to measure. Latencies are of successes, in ms."""

    requests: int
    error_rate: float | None
    avg_ms: float | None
    p50_ms: float | None
    p95_ms: float | None


class _Bucket:
    __slots__ = ("failed", "ok")

    def __init__(self) -> None:
        self.ok = self.failed = 0


class Breaker:
    """Folds reports, mostly in the order of their times; answers how the target fares and who may call it."""

    def __init__(self) -> None:
        self._buckets: dict[int, _Bucket] = {}
        self._streams = Latencies()
        self._wholes = Latencies()
        self._paces: dict[bool, tuple[float, int, Pace | None]] = {}
        self._slow = NEVER
        self._last = 0.0
        self._streak = 0
        self._successes = 0
        self._reopened = 0
        self._open_until: float | None = None  # None: closed
        self._opened_at = 0.0
        self._throttled_until = 0.0
        self._degraded = False
        self._knows = False
        self.reason = "no requests lately"

    def fold(self, seen: Seen) -> None:
        """Take a report in."""
        self._forget(seen.at)
        self._last = max(self._last, seen.at)
        self._throttled_until = max(
            self._throttled_until, min(seen.throttled_until, seen.at + LONGEST_THROTTLE_S)
        )
        if not (seen.ok or seen.failed):
            return
        self._knows = self._knows or seen.ok > 0
        bucket = self._buckets.setdefault(int(seen.at // BUCKET_S), _Bucket())
        bucket.ok += seen.ok
        bucket.failed += seen.failed
        self._streams.add(seen.at, seen.bins)
        self._wholes.add(seen.at, seen.whole)
        self._streak = seen.trailing if seen.ok else self._streak + seen.failed
        if self._open_until is None:
            self._judge(seen.at)
        else:
            self._probed(seen, self._open_until)

    def gate(self, now: float) -> Gate:
        """Tell who may call: anybody, nobody, one leased request, or nobody until the provider's time."""
        if self._open_until is not None:
            return "open" if now < self._open_until else "half_open"
        return "throttled" if now < self._throttled_until else "free"

    def status(self, now: float) -> HealthStatus:
        """Tell how the target fares; without a request for five minutes nobody knows."""
        if self._open_until is not None:
            return "unhealthy"
        if now < self._throttled_until:
            return "throttled"
        if not self._knows or now - self._last > REMEMBERED_S:
            return "unknown"
        return "degraded" if self._degraded else "healthy"

    def badness(self, now: float) -> tuple[int, float, float]:
        """Return a number to choose the least bad by: throttled before unhealthy, then the error rate."""
        figures = self.figures(now)
        until = max(self._open_until or 0.0, self._throttled_until)
        return int(self._open_until is not None), figures.error_rate or 0.0, until

    def figures(self, now: float) -> Figures:
        """Return the figures of the last minute."""
        ok, failed = self._window(now)
        bins = added((self._streams.window(now), self._wholes.window(now)))
        return Figures(
            requests=ok + failed,
            error_rate=round(failed / (ok + failed), 4) if ok + failed else None,
            avg_ms=mean_ms(bins),
            p50_ms=quantile_ms(bins, 0.5),
            p95_ms=quantile_ms(bins, 0.95),
        )

    def typical_ms(self, now: float, share: float = 0.5, *, streamed: bool = True) -> float | None:
        """Return a quantile of the time to first content, of the last minute or else of before.

        Where answers of the kind were never measured it is that of the other kind.
        """
        own, other = (self._streams, self._wholes) if streamed else (self._wholes, self._streams)
        found = own.typical_ms(now, share)
        return other.typical_ms(now, share) if found is None else found

    def pace(self, now: float, *, streamed: bool) -> Pace | None:
        """Return how long such answers take; None when none was measured in five minutes.

        Every request asks, so what was found is kept while it hardly changes: for a moment, and until one
        measurement in a hundred is new.
        """
        latencies = self._streams if streamed else self._wholes
        at, count, kept = self._paces.get(streamed, NOT_KEPT)
        if still_holds(now - at, latencies.count - count, count):
            return kept
        found = self._pace(latencies, now)
        self._paces[streamed] = now, latencies.count, found
        return found

    def _pace(self, latencies: Latencies, now: float) -> Pace | None:
        median = latencies.typical_ms(now, 0.5)
        if median is None or now - latencies.heard > REMEMBERED_S:
            return None
        enough = latencies.known(now) >= FEWEST_FOR_P95
        return Pace(median, latencies.typical_ms(now, 0.95) if enough else None)

    def still_slow(self, at: float, *, streamed: bool) -> None:
        """Hold on to the measured latencies: an attempt was just cut off before they had passed."""
        latencies = self._streams if streamed else self._wholes
        latencies.heard = max(latencies.heard, at)
        self._paces.pop(streamed, None)

    def outdated(self, started: float) -> bool:
        """Tell whether a request began before the breaker opened, so that it says nothing of a recovery."""
        return self._open_until is not None and started < self._opened_at

    def forgettable(self, now: float) -> bool:
        """Tell whether nothing of this is worth keeping."""
        return now - self._last > 2 * REMEMBERED_S and now > self._throttled_until

    def _judge(self, at: float) -> None:
        """Open or stay closed. Throttling and what nobody is to blame for never get here."""
        ok, failed = self._window(at)
        rate = failed / (ok + failed) if ok + failed else 0.0
        enough = ok + failed >= FEWEST_FOR_RATES
        if self._streak >= FAILURES_IN_A_ROW:
            self._open(at, f"{self._streak} failures in a row")
        elif enough and rate >= UNHEALTHY_RATE:
            self._open(at, f"{rate:.0%} of {ok + failed} requests failed")
        else:
            self._judge_quality(rate if enough else 0.0, ok + failed, at)

    def _judge_quality(self, rate: float, requests: int, at: float) -> None:
        ease = CALMER if self._degraded else 1.0
        slow = self._slowness(at, ease)
        failing = rate > 0 and rate >= DEGRADED_RATE * ease
        self._degraded = bool(slow) or failing
        if failing:
            self.reason = f"{rate:.0%} of {requests} requests failed"
        else:
            self.reason = slow or "requests succeed"

    def _slowness(self, at: float, ease: float) -> str:
        """Say in what way answers are slower than usual; kept while it hardly changes, like the pace."""
        measured = self._streams.count + self._wholes.count
        since, count, kept_ease, kept = self._slow
        if ease == kept_ease and still_holds(at - since, measured - count, count):
            return kept
        found = _slow(self._streams, at, ease) or _slow(self._wholes, at, ease)
        self._slow = at, measured, ease, found
        return found

    def _open(self, at: float, reason: str) -> None:
        self._open_until = at + OPEN_S[min(self._reopened, len(OPEN_S) - 1)]
        self._opened_at = at
        self._successes = 0
        self.reason = reason

    def _probed(self, seen: Seen, until: float) -> None:
        """Fold an answer while open: of a probe, or of a request that had nowhere else to go."""
        if seen.ok and not seen.trailing:
            self._successes += seen.ok
            if self._successes >= SUCCESSES_IN_A_ROW:
                self._close()
            else:
                self._open_until = seen.at + BETWEEN_PROBES_S
        elif seen.at >= until:
            self._reopened += 1
            self._open(seen.at, f"still fails after {self._reopened} probes")

    def _close(self) -> None:
        """Begin anew: what failed before the recovery does not count against the target any more."""
        self._open_until = None
        self._streak = self._reopened = 0
        self._buckets.clear()
        self._streams.begin_anew()
        self._wholes.begin_anew()
        self._paces.clear()
        self._slow = NEVER
        self._degraded = False
        self.reason = f"{SUCCESSES_IN_A_ROW} probes in a row succeeded"

    def _window(self, now: float) -> tuple[int, int]:
        first = int(now // BUCKET_S) - BUCKETS + 1
        recent = [bucket for start, bucket in self._buckets.items() if start >= first]
        return sum(bucket.ok for bucket in recent), sum(bucket.failed for bucket in recent)

    def _forget(self, at: float) -> None:
        first = int(at // BUCKET_S) - BUCKETS + 1
        for start in [start for start in self._buckets if start < first]:
            del self._buckets[start]
        self._streams.forget(at)
        self._wholes.forget(at)


def _slow(latencies: Latencies, at: float, ease: float) -> str:
    """Return how a target is slower than it usually is; empty when it is not, or when nobody knows."""
    usual = latencies.usual
    if not usual or sum(usual.values()) < FEWEST_FOR_LATENCY:
        return ""
    now = latencies.window(at)
    if sum(now.values()) < FEWEST_FOR_LATENCY:
        return ""
    p95, usual_p95 = quantile_ms(now, 0.95) or 0.0, quantile_ms(usual, 0.95) or 0.0
    if not usual_p95 or p95 <= usual_p95 * max(1.0, SLOW_FACTOR * ease):
        return ""
    return f"p95 is {p95:.0f} ms, usually {usual_p95:.0f} ms"
