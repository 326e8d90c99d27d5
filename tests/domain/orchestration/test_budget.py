"""How a latency budget is shared among the targets of a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.orchestration.breaker import REMEMBERED_S, Breaker, Seen
from domain.orchestration.budget import UNMEASURED_SHARE, Pace, attempt_ms, fits, hopeless
from domain.orchestration.latencies import bin_of

START = 1_000_000.0
DURATIONS = st.floats(0, 10_000)
PACES = st.none() | st.builds(Pace, DURATIONS, st.none() | DURATIONS)


def test_the_last_target_gets_all_that_remains():
    assert attempt_ms(800, Pace(100, 200), []) == 800
    assert attempt_ms(800, None, []) == 800


def test_an_attempt_leaves_the_largest_median_of_those_to_come():
    assert attempt_ms(1000, Pace(50, 90), [Pace(200, 300), Pace(350, 500)]) == 650


def test_for_a_target_that_nobody_measured_a_share_is_kept_back():
    assert attempt_ms(900, None, [None]) == pytest.approx(900 * (1 - UNMEASURED_SHARE))


def test_nothing_is_kept_back_for_a_target_that_would_not_fit_anyway():
    assert attempt_ms(400, None, [Pace(500, 600)]) == 400


def test_an_attempt_is_not_cut_below_its_own_p95():
    assert attempt_ms(1000, Pace(500, 700), [Pace(600, 900)]) == 700


def test_a_target_fits_when_its_p95_does_or_is_not_known():
    assert fits(300, Pace(100, 300))
    assert not fits(299, Pace(100, 300))
    assert fits(1, Pace(100, None))
    assert fits(1, None)


def test_a_target_has_no_chance_when_half_of_its_median_is_too_long():
    assert not hopeless(200, Pace(400))
    assert hopeless(199, Pace(400))
    assert not hopeless(0, None)


@given(st.floats(0, 10_000), PACES, st.lists(PACES, max_size=4))
def test_an_attempt_never_gets_more_than_there_is(remaining: float, own: Pace | None, coming: list[Pace]):
    found = attempt_ms(remaining, own, coming)
    assert 0 <= found <= remaining
    if fits(remaining, own) and own is not None and own.p95_ms is not None:
        assert found >= own.p95_ms


def measured(*, streamed: bool, ms: int, times: int, at: float = START) -> Breaker:
    made = Breaker()
    for _ in range(times):
        bins = {bin_of(ms): 1}
        made.fold(Seen(at=at, ok=1, bins=bins) if streamed else Seen(at=at, ok=1, whole=bins))
    return made


def test_streams_and_whole_answers_have_a_pace_of_their_own():
    found = measured(streamed=False, ms=5000, times=9)
    assert found.pace(START, streamed=True) is None
    whole = found.pace(START, streamed=False)
    assert whole is not None
    assert whole.median_ms == pytest.approx(5000, rel=0.06)
    assert found.typical_ms(START) == whole.median_ms


def test_a_few_answers_give_a_median_and_no_p95():
    found = measured(streamed=True, ms=200, times=4).pace(START, streamed=True)
    assert found is not None
    assert found.p95_ms is None


def test_a_pace_is_forgotten_unless_attempts_show_that_it_is_still_so_slow():
    found = measured(streamed=True, ms=900, times=6)
    later = START + REMEMBERED_S + 1
    assert found.pace(later, streamed=True) is None
    found.still_slow(later, streamed=True)
    again = found.pace(later, streamed=True)
    assert again is not None
    assert again.p95_ms == pytest.approx(900, rel=0.06)
