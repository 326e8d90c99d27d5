"""The circuit breaker: when it opens, whom it lets through, when it closes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.orchestration.breaker import OPEN_S, REMEMBERED_S, WINDOW_S, Breaker, Seen
from domain.orchestration.latencies import bin_of, quantile_ms

START = 1_000_000.0


def ok(at: float, ms: int = 100) -> Seen:
    return Seen(at=at, ok=1, bins={bin_of(ms): 1})


def failed(at: float) -> Seen:
    return Seen(at=at, failed=1, trailing=1)


def breaker(*seen: Seen) -> Breaker:
    made = Breaker()
    for each in seen:
        made.fold(each)
    return made


def opened(at: float = START) -> Breaker:
    return breaker(*[failed(at)] * 5)


def test_five_failures_in_a_row_open_it():
    # given
    found = breaker(ok(START), *[failed(START + 1)] * 4)
    assert found.gate(START + 1) == "free"
    # when
    found.fold(failed(START + 1))
    # then
    assert (found.status(START + 1), found.gate(START + 1)) == ("unhealthy", "open")
    assert found.reason == "5 failures in a row"


def test_a_quarter_of_ten_opens_it_and_of_nine_does_not():
    mixed = [failed(START), ok(START), ok(START)] * 3
    assert breaker(*mixed).status(START) == "healthy"
    assert breaker(*mixed, ok(START)).status(START) == "unhealthy"


def test_old_failures_leave_the_window():
    found = breaker(*[failed(START), ok(START)] * 4)
    later = START + WINDOW_S + 10
    for _ in range(10):
        found.fold(ok(later))
    assert found.status(later) == "healthy"
    assert found.figures(later).error_rate == 0.0


def test_it_waits_longer_after_each_failed_probe_up_to_a_bound():
    found, at = opened(), START
    for wait in (*OPEN_S, OPEN_S[-1]):
        assert found.gate(at + wait - 0.01) == "open"
        at += wait
        assert found.gate(at) == "half_open"
        found.fold(failed(at))
    assert found.status(at) == "unhealthy"


def test_three_probes_in_a_row_close_it_and_the_past_is_forgotten():
    found = opened()
    at = START + OPEN_S[0]
    for probe in range(3):
        assert found.gate(at + 2 * probe) == "half_open"
        found.fold(ok(at + 2 * probe))
    assert (found.gate(at + 4), found.status(at + 4)) == ("free", "healthy")
    for _ in range(4):
        found.fold(failed(at + 5))
    assert found.gate(at + 5) == "free"


def test_a_mended_target_has_traffic_again_within_thirty_seconds():
    found, at = opened(), START
    for wait in OPEN_S * 3:
        at += wait
        found.fold(failed(at))
    assert any(found.gate(at + second) == "half_open" for second in range(30))


def test_failures_of_requests_that_were_under_way_do_not_prolong_it():
    found = opened()
    found.fold(failed(START + 1))
    assert found.gate(START + OPEN_S[0]) == "half_open"
    assert found.outdated(START - 1)
    assert not found.outdated(START + 1)


def test_throttling_lasts_until_the_providers_time_and_is_no_failure():
    found = breaker(ok(START), *[Seen(at=START, throttled_until=START + 7)] * 9)
    assert (found.gate(START + 6.9), found.status(START + 6.9)) == ("throttled", "throttled")
    assert (found.gate(START + 7), found.status(START + 7)) == ("free", "healthy")
    assert found.figures(START).error_rate == 0.0


def test_some_failures_degrade_it_and_it_stays_so_until_clearly_better():
    # given 1 of 20: five per cent
    found = breaker(*[ok(START)] * 19, failed(START))
    assert found.status(START) == "degraded"
    # when 1 of 25: below what degrades, not yet well below
    for _ in range(5):
        found.fold(ok(START))
    assert found.status(START) == "degraded"
    # then 1 of 40
    for _ in range(15):
        found.fold(ok(START))
    assert (found.status(START), found.gate(START)) == ("healthy", "free")


def test_twice_the_usual_latency_degrades_it():
    found = breaker(*[ok(START, 100)] * 40)
    later = START + WINDOW_S + 10
    for _ in range(40):
        found.fold(ok(later, 500))
    assert found.status(later) == "degraded"
    assert found.gate(later) == "free"


def test_without_requests_nobody_knows():
    found = breaker(ok(START))
    assert found.status(START + REMEMBERED_S + 1) == "unknown"
    assert Breaker().status(START) == "unknown"


def test_typical_latency_is_remembered_beyond_the_window():
    found = breaker(*[ok(START, 200)] * 20)
    found.fold(failed(START + 70))
    assert abs((found.typical_ms(START + 70) or 0) - 200) < 20


attempts = st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=80)


def series(drawn: list[tuple[bool, int]]) -> list[Seen]:
    at, made = START, []
    for good, pause in drawn:
        at += pause
        made.append(ok(at) if good else failed(at))
    return made


@settings(deadline=None)
@given(attempts)
def test_five_failures_in_a_row_are_always_unhealthy(drawn: list[tuple[bool, int]]):
    seen = [*series(drawn), *[failed(START + 1000)] * 5]
    assert breaker(*seen).status(START + 1000) == "unhealthy"


@settings(deadline=None)
@given(attempts)
def test_spaced_successes_always_heal(drawn: list[tuple[bool, int]]):
    found = breaker(*series(drawn))
    for number in range(3):
        found.fold(ok(START + 1000 + 20 * number))
    assert found.gate(START + 1040) == "free"
    assert found.status(START + 1040) == "healthy"


@settings(deadline=None)
@given(attempts, st.integers(1, 10))
def test_reports_of_whole_stretches_of_one_outcome_mean_what_their_parts_mean(
    drawn: list[tuple[bool, int]], size: int
):
    good, _ = drawn[0]
    parts = [ok(START) if good else failed(START)] * min(size, 4)
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.then(part)
    one, other = breaker(*parts), breaker(whole)
    assert one.status(START) == other.status(START)
    assert one.figures(START) == other.figures(START)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3_600_000), min_size=1, max_size=200))
def test_quantiles_are_close_to_the_true_ones(durations: list[int]):
    bins: dict[int, float] = {}
    for each in durations:
        bins[bin_of(each)] = bins.get(bin_of(each), 0) + 1
    true = sorted(durations)[(len(durations) + 1) // 2 - 1]
    assert abs((quantile_ms(bins, 0.5) or 0.0) - true) <= max(1.0, 0.06 * true)
