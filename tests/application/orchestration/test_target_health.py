"""Routes without unhealthy targets: who is skipped, who may probe, what counts."""

from __future__ import annotations

from application.orchestration.health import Key, TargetHealth
from domain.kernel.request_record import Attempt, Decision
from domain.orchestration.breaker import OPEN_S
from domain.orchestration.catalogue import Target
from domain.orchestration.routing import Route

A, B = Target("a", "m"), Target("b", "m")
KEY_A = Key("acme", "a", "m", "")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def health() -> tuple[TargetHealth, Clock]:
    clock = Clock()
    return TargetHealth(lambda _tenant, _provider: "", clock), clock


def route(*targets: Target) -> Route:
    names = tuple(map(str, targets))
    return Route(decision=Decision(requested_model="auto", targets=names, why="As told."), targets=targets)


def attempt(target: Target, outcome: str = "ok", status: int | None = None, ms: int = 50) -> Attempt:
    return Attempt(
        provider=target.provider,
        model=target.model,
        outcome=outcome,
        status=status,
        started_ms=0,
        duration_ms=ms,
    )


def fail(found: TargetHealth, target: Target, times: int = 5) -> None:
    for _ in range(times):
        found.observe("acme", attempt(target, "status", 503))


def test_a_healthy_route_is_left_alone():
    found, _ = health()
    found.observe("acme", attempt(A))
    wanted = route(A, B)
    assert found.filter("acme", wanted) is wanted


def test_an_unhealthy_target_is_skipped_and_the_decision_says_why():
    # given
    found, _ = health()
    fail(found, A)
    # when
    filtered = found.filter("acme", route(A, B))
    # then
    assert filtered.targets == (B,)
    assert filtered.decision.targets == ("b/m",)
    assert filtered.decision.skipped == (("a/m", "unhealthy: 5 failures in a row"),)
    assert filtered.decision.why == "As told. Passed over: a/m is unhealthy: 5 failures in a row."
    assert found.filter("other", route(A, B)).targets == (A, B)


def test_what_is_the_clients_or_our_own_doing_does_not_count():
    found, _ = health()
    for outcome, status in (("cancelled", 200), ("status", 400), ("status", 422), ("internal_error", None)):
        for _ in range(12):
            found.observe("acme", attempt(A, outcome, status))
    assert found.status("acme", "a", "m") is None


def test_a_timeout_shorter_than_usual_is_the_callers_haste():
    found, _ = health()
    for _ in range(20):
        found.observe("acme", attempt(A, ms=400))
    for _ in range(9):
        found.observe("acme", attempt(A, "timeout_first_byte", ms=20))
    hasty = found.status("acme", "a", "m")
    for _ in range(5):
        found.observe("acme", attempt(A, "timeout_first_byte", ms=2000))
    patient = found.status("acme", "a", "m")
    assert (hasty and hasty.status, patient and patient.status) == ("healthy", "unhealthy")


def test_one_lease_lets_one_request_through():
    # given
    found, clock = health()
    fail(found, A)
    found.filter("acme", route(A, B))
    clock.now += OPEN_S[0]
    assert found.lacking_leases() == [KEY_A]
    assert found.filter("acme", route(A, B)).targets == (B,)
    # when
    found.grant(KEY_A)
    # then
    assert found.filter("acme", route(A, B), probing=False).targets == (B,)
    assert found.filter("acme", route(A, B)).targets == (A, B)
    assert found.filter("acme", route(A, B)).targets == (B,)
    found.observe("acme", attempt(A))
    assert found.finished() == [KEY_A]


def test_a_lost_probe_gives_its_lease_back():
    found, clock = health()
    fail(found, A)
    clock.now += OPEN_S[0]
    found.grant(KEY_A)
    assert found.filter("acme", route(A, B)).targets == (A, B)
    assert found.finished() == []
    clock.now += 31
    assert found.finished() == [KEY_A]


def test_a_half_open_fallback_stays_a_fallback():
    found, clock = health()
    fail(found, B)
    assert found.filter("acme", route(A, B)).targets == (A,)
    clock.now += OPEN_S[0]
    assert found.filter("acme", route(A, B)).targets == (A, B)


def test_when_all_must_rest_the_least_bad_comes_first_and_is_flagged():
    found, _ = health()
    fail(found, A)
    found.observe("acme", attempt(B, "status", 429), 30)
    filtered = found.filter("acme", route(A, B))
    assert filtered.targets == (B, A)
    assert filtered.decision.least_bad
    assert "the least bad first: b/m" in filtered.decision.why


def test_a_throttled_target_returns_after_its_time():
    found, clock = health()
    found.observe("acme", attempt(A, "status", 429), 30)
    skipped = found.filter("acme", route(A, B)).decision.skipped
    clock.now += 30
    assert skipped[0][1].startswith("throttled")
    assert found.filter("acme", route(A, B)).targets == (A, B)


def test_of_the_next_ten_requests_an_unhealthy_target_gets_at_most_three():
    # given a target that fails now and then, and requests that take half a second each
    found, clock = health()
    fail(found, A)
    got = 0
    for _ in range(10):
        for key in found.lacking_leases():
            found.grant(key)
        targets = found.filter("acme", route(A, B)).targets
        got += targets[0] == A
        clock.now += 0.5
        found.observe("acme", attempt(targets[0], ms=500))
    assert got <= 3


def test_only_changes_that_this_process_saw_are_to_be_recorded():
    # given
    one, clock = health()
    other = TargetHealth(lambda _tenant, _provider: "", clock)
    fail(one, A)
    # when
    other.absorb(one.unsent())
    # then
    assert [(c.previous, c.status) for c in one.changes()] == [("unknown", "unhealthy")]
    assert other.changes() == []
    assert other.filter("acme", route(A, B)).targets == (B,)


def test_measured_latency_is_a_score():
    found, _ = health()
    for _ in range(5):
        found.observe("acme", attempt(A, ms=300))
    scores = found.first_content("acme")
    assert abs(scores.get("a/m", -1.0) - 300) < 30
    assert scores.get("b/m", -1.0) == -1.0
