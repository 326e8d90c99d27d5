"""How a model's health is judged by what requests met."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.kernel.request_record import Attempt
from domain.orchestration.health import Meaning, ModelHealth, Sample, assess, quantile, sample_of
from domain.orchestration.health_events import HealthStatus, ModelHealthChanged
from tests.domain.given import AT, given

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


def samples(marks: str, *, every_s: float = 1.0, until_s: float = 1.0, ms: int = 100) -> list[Sample]:
    """Return samples `.` ok, `x` failed, `t` throttled, oldest first, the last one `until_s` ago."""
    meanings: dict[str, Meaning] = {".": "ok", "x": "failure", "t": "throttled"}
    return [
        Sample(NOW - timedelta(seconds=until_s + every_s * back), meanings[mark], ms)
        for back, mark in zip(range(len(marks) - 1, -1, -1), marks, strict=True)
    ]


def status(found: list[Sample], previous: HealthStatus = "unknown") -> HealthStatus:
    return assess(found, previous=previous, now=NOW).status


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("....................", "healthy"),
        (".", "healthy"),
        ("x", "unknown"),
        ("xxxx", "unknown"),
        ("xxxxx", "unhealthy"),
        (".......xxxxx", "unhealthy"),
        ("xxx.......", "unhealthy"),
        ("xx........", "degraded"),
        ("x...................", "degraded"),
        ("x....................", "healthy"),
        ("..t", "throttled"),
        ("t.", "healthy"),
    ],
)
def test_fresh_samples_decide(marks: str, expected: HealthStatus):
    assert status(samples(marks)) == expected


def test_nothing_known_is_unknown():
    found = assess([], previous="healthy", now=NOW)
    assert (found.status, found.requests, found.error_rate, found.p95_latency_ms) == (
        "unknown",
        0,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("previous", "expected"),
    [("healthy", "healthy"), ("unhealthy", "unhealthy"), ("degraded", "degraded"), ("throttled", "unknown")],
)
def test_a_quiet_model_keeps_its_status_for_an_hour(previous: HealthStatus, expected: HealthStatus):
    assert status(samples("..", until_s=1200), previous) == expected


def test_being_throttled_ends_after_a_minute():
    assert status(samples("..t", until_s=70), "throttled") == "healthy"
    assert status(samples("t", until_s=70), "throttled") == "unknown"


def test_an_unhealthy_model_needs_three_successes_in_a_row():
    assert status(samples("xxxxx.."), "unhealthy") == "unhealthy"
    assert status(samples("x..x..."), "unhealthy") == "healthy"


def test_a_mended_model_is_healthy_when_its_failures_are_a_minute_old():
    failed = samples("xxxxxxxxxx", until_s=65)
    assert status(failed + samples("..........", until_s=1, every_s=6), "unhealthy") == "healthy"


def test_few_requests_in_the_minute_are_judged_with_older_ones():
    found = assess(samples("xxxxxxx...", every_s=25), previous="unknown", now=NOW)
    assert (found.status, found.window_s, found.requests) == ("unhealthy", 300, 10)
    busy = assess(samples("xxxxx..........", every_s=5), previous="unknown", now=NOW)
    assert (busy.status, busy.window_s, busy.requests) == ("degraded", 60, 12)


def test_twice_as_slow_as_usual_is_degraded():
    usual = samples("." * 40, until_s=400, ms=100)
    assert status(usual + samples("." * 20, ms=190)) == "healthy"
    slow = assess(usual + samples("." * 20, ms=210), previous="healthy", now=NOW)
    assert slow.status == "degraded"
    assert "210" in slow.reason


def test_latency_is_told_of_successes_only():
    found = assess(samples("....", ms=100) + samples("x", ms=9000), previous="healthy", now=NOW)
    assert (found.avg_latency_ms, found.p50_latency_ms, found.p95_latency_ms) == (100.0, 100.0, 100.0)
    assert (found.requests, found.error_rate) == (5, 0.2)


def test_quantiles_lie_between_neighbours():
    assert quantile([], 0.5) is None
    assert quantile([10, 20], 0.5) == 15.0
    assert quantile(list(range(101)), 0.95) == 95.0


@pytest.mark.parametrize(
    ("outcome", "code", "meaning"),
    [
        ("ok", 200, "ok"),
        ("status", 500, "failure"),
        ("status", 401, "failure"),
        ("status", 429, "throttled"),
        ("timeout_first_byte", None, "failure"),
        ("status", 400, None),
        ("status", 404, None),
        ("cancelled", None, None),
        ("not_ready", None, None),
        ("egress_forbidden", None, None),
    ],
)
def test_only_what_the_provider_did_counts(outcome: str, code: int | None, meaning: Meaning | None):
    attempt = Attempt(provider="p", model="m", outcome=outcome, started_ms=0, duration_ms=5, status=code)
    sample = sample_of(NOW, attempt)
    assert (sample.meaning if sample else None) == meaning


def test_only_a_change_is_recorded():
    healthy = assess(samples("...."), previous="unknown", now=NOW)
    change = ModelHealthChanged(
        provider="p", model="m", previous="unknown", status="healthy", reason="requests succeed",
        changed_at=AT, window_s=300, requests=4, error_rate=0.0, p95_latency_ms=100.0,
    )  # fmt: skip
    given(ModelHealth).when(lambda h: h.judge("p", "m", healthy, AT)).then(change)
    given(ModelHealth, change).when(lambda h: h.judge("p", "m", healthy, AT)).then()
