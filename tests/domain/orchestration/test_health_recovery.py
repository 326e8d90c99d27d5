"""A recovery that was recorded ends the matter: what came before it does not count any more."""

from __future__ import annotations

from datetime import timedelta

from domain.orchestration.health import ModelHealth, Sample, assess
from tests.domain.given import AT

FAILED = [Sample(AT - timedelta(seconds=200 - n), "failure", 10) for n in range(5)]
RECOVERED = AT - timedelta(seconds=100)
WORKED = [Sample(AT - timedelta(seconds=90 - n), "ok", 10) for n in range(3)]


def test_failures_before_a_recovery_do_not_count():
    assert assess([*FAILED, *WORKED], previous="healthy", now=AT).status == "healthy"
    mixed = [*FAILED, *WORKED, *WORKED]
    assert assess(mixed, previous="healthy", now=AT).status == "unhealthy"
    found = assess(mixed, previous="healthy", now=AT, since=RECOVERED)
    assert (found.status, found.error_rate, found.requests) == ("healthy", 0.0, 6)


def test_failures_after_a_recovery_count():
    again = [Sample(AT - timedelta(seconds=5), "failure", 10)] * 5
    assert assess([*WORKED, *again], previous="healthy", now=AT, since=RECOVERED).status == "unhealthy"


def test_being_unhealthy_forgives_nothing():
    found = assess([*FAILED, *WORKED[:2]], previous="unhealthy", now=AT, since=AT - timedelta(seconds=195))
    assert found.status == "unhealthy"


def test_the_record_knows_since_when():
    health = ModelHealth.blank("acme/model-health/a/m", AT)
    assert health.changed_at is None
    assert health.judge("a", "m", assess(FAILED, previous="unknown", now=AT), AT)
    assert (health.status, health.changed_at) == ("unhealthy", AT)
