"""Judges a model's health by the attempts that real requests made; it calls nobody and costs nothing.

What counts is the last minute, or the newest ten attempts of the last five minutes when the minute had
fewer. An hour before that is the baseline of what is slow for this model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import ClassVar, Literal

import msgspec

from domain.kernel.aggregate import Aggregate
from domain.kernel.events import Event
from domain.kernel.request_record import Attempt
from domain.orchestration.failures import classify
from domain.orchestration.health_events import HealthStatus, ModelHealthChanged

SHORT_WINDOW = timedelta(seconds=60)
WINDOW = timedelta(minutes=5)
BASELINE = timedelta(hours=1)
FAILURES_IN_A_ROW = 5
SUCCESSES_IN_A_ROW = 3
FEWEST_FOR_RATES = 10
FEWEST_FOR_LATENCY = 20
UNHEALTHY_RATE = 0.25
DEGRADED_RATE = 0.05
SLOW_FACTOR = 2.0
THROTTLED_FOR = timedelta(seconds=60)

Meaning = Literal["ok", "failure", "throttled"]
Model = tuple[str, str, str]
"""Whose, of which provider, which model."""
SeenAttempt = tuple[str, datetime, Attempt]
"""The tenant, when the attempt ended, and what it met."""


class Sample(msgspec.Struct, frozen=True):
    """One attempt that says something about its provider: when it ended, how, and how long it took."""

    at: datetime
    meaning: Meaning
    duration_ms: int


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """A judgement with its figures: of `requests` in the last `window_s` seconds, the latency of successes.

    Requests that were throttled do not count. Figures are None where there was nothing to measure.
    """

    status: HealthStatus
    reason: str
    window_s: int
    requests: int
    error_rate: float | None
    avg_latency_ms: float | None
    p50_latency_ms: float | None
    p95_latency_ms: float | None


def sample_of(at: datetime, attempt: Attempt) -> Sample | None:
    """Return what an attempt says of its provider; None for what is the client's or our own doing."""
    if attempt.outcome == "ok":
        return Sample(at, "ok", attempt.duration_ms)
    try:
        verdict = classify(attempt.outcome, attempt.status)
    except ValueError:  # cancelled by the client, refused by our own quota ...
        return None
    if verdict.throttled:
        return Sample(at, "throttled", attempt.duration_ms)
    return Sample(at, "failure", attempt.duration_ms) if verdict.counts else None


def samples_by_model(attempts: Iterable[SeenAttempt]) -> dict[Model, list[Sample]]:
    """Return the samples of each model, in the order of the attempts."""
    found: dict[Model, list[Sample]] = {}
    for tenant, at, attempt in attempts:
        sample = sample_of(at, attempt)
        if sample:
            found.setdefault((tenant, attempt.provider, attempt.model), []).append(sample)
    return found


def assess(
    samples: Sequence[Sample], *, previous: HealthStatus, now: datetime, since: datetime | None = None
) -> Assessment:
    """Judge a model by its samples of WINDOW and BASELINE before `now`, oldest first.

    `since` is when its status last changed: what came before a recovery counts no more against it.
    """
    begin = max(now - WINDOW, since) if since is not None and previous == "healthy" else now - WINDOW
    recent, window = _judged([s for s in samples if s.at > begin], now)
    older = [s.duration_ms for s in samples if s.at <= now - WINDOW and s.meaning == "ok"]
    counted = [s for s in recent if s.meaning != "throttled"]
    failures = sum(1 for s in counted if s.meaning == "failure")
    latencies = sorted(s.duration_ms for s in counted if s.meaning == "ok")
    rate = failures / len(counted) if counted else None
    status, reason = (
        _unhealthy(counted, rate)
        or _throttled(recent, now)
        or _without_news(recent, samples, previous)
        or _recovering(counted, previous)
        or _degraded(counted, rate, latencies, older)
        or _settled(counted, previous)
    )
    return Assessment(
        status=status,
        reason=reason,
        window_s=int(window.total_seconds()),
        requests=len(counted),
        error_rate=None if rate is None else round(rate, 4),
        avg_latency_ms=round(sum(latencies) / len(latencies), 1) if latencies else None,
        p50_latency_ms=quantile(latencies, 0.5),
        p95_latency_ms=quantile(latencies, 0.95),
    )


def quantile(ordered: Sequence[int], share: float) -> float | None:
    """Return a quantile of values in order, linear between neighbours; None without values."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return round(ordered[below] + (ordered[above] - ordered[below]) * (place - below), 1)


Found = tuple[HealthStatus, str]


def _judged(recent: list[Sample], now: datetime) -> tuple[list[Sample], timedelta]:
    minute = [s for s in recent if s.at > now - SHORT_WINDOW]
    if len(minute) >= FEWEST_FOR_RATES:
        return minute, SHORT_WINDOW
    return recent[-FEWEST_FOR_RATES:], WINDOW


def _unhealthy(counted: Sequence[Sample], rate: float | None) -> Found | None:
    streak = _streak(counted, "failure")
    if streak >= FAILURES_IN_A_ROW:
        return "unhealthy", f"{streak} failures in a row"
    if rate is not None and rate >= UNHEALTHY_RATE and len(counted) >= FEWEST_FOR_RATES:
        return "unhealthy", f"{rate:.0%} of {len(counted)} requests failed"
    return None


def _throttled(recent: Sequence[Sample], now: datetime) -> Found | None:
    if recent and recent[-1].meaning == "throttled" and recent[-1].at > now - THROTTLED_FOR:
        return "throttled", "the provider answered 429"
    return None


def _without_news(
    recent: Sequence[Sample], samples: Sequence[Sample], previous: HealthStatus
) -> Found | None:
    """A quiet model keeps its status for the time of the baseline; being throttled passes by itself."""
    if recent:
        return None
    if samples:
        return _kept(previous), "no requests lately; as last seen"
    return "unknown", "no requests lately"


def _recovering(counted: Sequence[Sample], previous: HealthStatus) -> Found | None:
    if previous == "unhealthy" and _streak(counted, "ok") < SUCCESSES_IN_A_ROW:
        return "unhealthy", f"not yet {SUCCESSES_IN_A_ROW} successes in a row"
    return None


def _degraded(
    counted: Sequence[Sample], rate: float | None, latencies: Sequence[int], older: Sequence[int]
) -> Found | None:
    if rate is not None and rate >= DEGRADED_RATE and len(counted) >= FEWEST_FOR_RATES:
        return "degraded", f"{rate:.0%} of {len(counted)} requests failed"
    if min(len(latencies), len(older)) < FEWEST_FOR_LATENCY:
        return None
    now_p95, usual_p95 = quantile(latencies, 0.95) or 0.0, quantile(sorted(older), 0.95) or 0.0
    if now_p95 > SLOW_FACTOR * usual_p95:
        return "degraded", f"p95 is {now_p95:.0f} ms, usually {usual_p95:.0f} ms"
    return None


def _settled(counted: Sequence[Sample], previous: HealthStatus) -> Found:
    if counted and (counted[-1].meaning == "ok" or len(counted) >= FEWEST_FOR_RATES):
        return "healthy", "requests succeed"
    return _kept(previous), "too few requests to tell"


def _kept(previous: HealthStatus) -> HealthStatus:
    return "unknown" if previous == "throttled" else previous


def _streak(counted: Sequence[Sample], meaning: Meaning) -> int:
    return sum(1 for _ in takewhile(lambda s: s.meaning == meaning, reversed(counted)))


class ModelHealth(Aggregate):
    """The recorded health of one model for one tenant; its entity id is `provider/model`."""

    KIND: ClassVar[str] = "model-health"

    def initialise(self) -> None:
        """Start without knowing."""
        self.status: HealthStatus = "unknown"
        self.changed_at: datetime | None = None

    def apply(self, event: Event) -> None:
        """Fold one event."""
        if isinstance(event, ModelHealthChanged):
            self.status, self.changed_at = event.status, event.changed_at

    def judge(self, provider: str, model: str, found: Assessment, at: datetime) -> bool:
        """Record an assessment when the status changed, and tell whether it did."""
        if found.status == self.status:
            return False
        self.record(
            ModelHealthChanged(
                provider=provider,
                model=model,
                previous=self.status,
                status=found.status,
                reason=found.reason,
                changed_at=at,
                window_s=found.window_s,
                requests=found.requests,
                error_rate=found.error_rate,
                p95_latency_ms=found.p95_latency_ms,
            ),
            at,
        )
        return True
