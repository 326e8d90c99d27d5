"""Classes of failure: what is the caller's fault, what another target may mend."""

from __future__ import annotations

import pytest

from application.orchestration.upstream import FailureKind
from domain.orchestration.catalogue import Catalogue, Offer, Target
from domain.orchestration.failures import FailureClass, classify, larger_than
from domain.orchestration.provider_spec import ModelSpec

TERMINAL, FALLBACK, CAPABILITY = FailureClass.TERMINAL, FailureClass.FALLBACK, FailureClass.CAPABILITY


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, TERMINAL), (404, TERMINAL), (413, TERMINAL), (422, TERMINAL), (405, TERMINAL),
        (401, FALLBACK), (402, FALLBACK), (403, FALLBACK), (408, FALLBACK), (409, FALLBACK),
        (429, FALLBACK), (500, FALLBACK), (502, FALLBACK), (503, FALLBACK), (529, FALLBACK),
        (302, FALLBACK),
    ],
)  # fmt: skip
def test_a_status_says_whose_fault_it_was(status: int, expected: FailureClass):
    verdict = classify("status", status)
    assert verdict.failure is expected
    assert verdict.reason == f"status_{status}"


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind is not FailureKind.STATUS])
def test_every_kind_of_broken_exchange_lets_another_target_try(kind: FailureKind):
    verdict = classify(kind.value)
    assert verdict.failure is FALLBACK
    assert verdict.reason == kind.value
    assert verdict.quick_retry == (kind is FailureKind.RESET)


def test_our_own_credential_being_refused_is_an_alert():
    assert [s for s in range(400, 500) if classify("status", s).credential_refused] == [401, 402, 403]


def test_too_many_requests_throttle_the_target():
    assert [s for s in range(400, 600) if classify("status", s).throttled] == [429]


@pytest.mark.parametrize("status", [400, 413])
def test_a_context_that_is_too_long_asks_for_a_larger_window(status: int):
    verdict = classify("status", status, context_too_long=True)
    assert (verdict.failure, verdict.reason, verdict.counts) == (CAPABILITY, "context_too_long", False)


def test_the_callers_mistakes_say_nothing_about_health():
    assert not classify("status", 400).counts
    assert not classify("not_ready").counts
    assert classify("status", 500).counts
    assert classify("timeout_first_byte").counts


def test_an_unknown_kind_is_not_guessed_at():
    with pytest.raises(ValueError, match="unknown kind"):
        classify("gremlins")


def test_after_a_small_window_only_larger_or_unknown_ones_are_tried():
    sizes = {"small": 10, "same": 10, "large": 20, "unknown": None}
    offer = Offer("p", tuple(ModelSpec(name=name, context_window=size) for name, size in sizes.items()))
    catalogue = Catalogue([offer])
    rest = [Target("p", name) for name in ("same", "large", "unknown")]
    assert larger_than(Target("p", "small"), rest, catalogue) == (
        Target("p", "large"),
        Target("p", "unknown"),
    )
    assert larger_than(Target("p", "unknown"), rest, catalogue) == tuple(rest)
