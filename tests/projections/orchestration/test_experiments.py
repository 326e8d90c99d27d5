"""Experiments and ratings as the API and decisions read them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.kernel.request_record import Decision, ShadowRecorded
from domain.orchestration.experiments import Tally
from domain.orchestration.feedback_events import FeedbackGiven
from projections.orchestration.experiments_project import EXPERIMENTS
from projections.orchestration.experiments_queries import arm_tallies, ratings
from projections.orchestration.shadow_queries import shadow_of, shadow_sums, shadow_totals
from projections.rebuild import rebuild
from projections.runner import worker_name
from projections.scope import tenant_connection
from tests.projections.conftest import Engines, Running, reached
from tests.projections.memory_tail import MemoryTail
from tests.projections.usage_world import START, request

ARM_A = Decision(requested_model="auto", experiment="tone", arm="openai/gpt-5")
ARM_B = Decision(requested_model="auto", experiment="tone", arm="local/smol")


def feedback(request_id: str = "req_1", score: float = 1.0, **fields: object) -> FeedbackGiven:
    usual = {"given_at": START, "workspace": "default", "provider": "openai", "model": "gpt-5", **fields}
    return FeedbackGiven(request_id=request_id, score=score, **usual)  # type: ignore[arg-type]  # a test's shorthand


def requests_and_ratings() -> MemoryTail:
    """Requests of two arms: one fell back, one failed, one was broken off, one has no experiment."""
    tail = MemoryTail()
    tail.append(
        request(request_id="r1", decision=ARM_A, duration_ms=100, cost_micros=30),
        request(request_id="r2", decision=ARM_A, duration_ms=300, cost_micros=50),
        request(request_id="r3", decision=ARM_B),
        request(request_id="r4", decision=ARM_A, outcome="failed", duration_ms=9000, cost_micros=0),
        request(request_id="r5", decision=ARM_A, outcome="cancelled"),
        request(request_id="r6"),
        feedback("r1", -1.0, experiment="tone", arm="openai/gpt-5"),
        feedback("r1", 0.5, experiment="tone", arm="openai/gpt-5"),
        feedback("r2", 1.0, experiment="tone", arm="openai/gpt-5", comment="good"),
        feedback("r6", -0.5),
    )
    tail.append(request(request_id="x", decision=ARM_A), tenant="t2")
    return tail


async def test_requests_count_for_their_assigned_arm_and_the_newest_rating_for_all(
    engines: Engines, running: Running
) -> None:
    # given
    tail = requests_and_ratings()
    # when
    async with running(tail, [EXPERIMENTS]):
        await reached(engines, "experiments", 11)
    async with tenant_connection(engines.app, "t1") as conn:
        tallies = await arm_tallies(conn)
        rated = await ratings(conn, START - timedelta(days=1))
        later = await ratings(conn, START + timedelta(days=1))
    # then
    assert tallies[("t1", "default", "tone", "openai/gpt-5")] == Tally(
        requests=3,
        succeeded=2,
        fell_back=0,
        latency_ms=400,
        latency_squares=100_000,
        priced=3,
        cost_micros=80,
        cost_squares=3400,
        rated=2,
        feedback=1.5,
        feedback_squares=1.25,
    )
    other = tallies[("t1", "default", "tone", "local/smol")]
    assert (other.requests, other.fell_back, other.rated) == (1, 1, 0)
    assert {key[0] for key in tallies} == {"t1"}
    assert [(each.provider, each.count, each.total) for each in rated] == [("openai", 3, pytest.approx(1.0))]
    assert later == []
    # and a rebuild finds the same
    arms = "SELECT * FROM experiment_arms ORDER BY tenant, experiment, arm"
    scores = "SELECT * FROM feedback ORDER BY tenant, request_id"
    before = (await engines.rows(arms), await engines.rows(scores))
    await rebuild(EXPERIMENTS, tail=tail, system=engines.system, owner=engines.owner, worker=worker_name())
    assert (await engines.rows(arms), await engines.rows(scores)) == before
    assert "good" not in repr(before)


async def test_shadows_are_summed_apart_from_arms(engines: Engines, running: Running) -> None:
    # given a request with a shadow, and a shadow that was refused
    tail = MemoryTail()
    decision = Decision(
        requested_model="auto", experiment="tone", arm="openai/gpt-5", targets=("local/shadow",)
    )
    sent = request(request_id="r1_shadow", decision=decision, duration_ms=100, cost_micros=30)
    refused = request(
        request_id="r2_shadow",
        decision=decision,
        outcome="failed",
        status=429,
        attempts=(),
        usage=None,
        cost_micros=0,
    )
    tail.append(
        request(request_id="r1", decision=ARM_A, duration_ms=100, cost_micros=30),
        ShadowRecorded.of(sent, "r1"),
        ShadowRecorded.of(refused, "r2"),
    )
    # when
    async with running(tail, [EXPERIMENTS]):
        await reached(engines, "experiments", 3)
    async with tenant_connection(engines.app, "t1") as conn:
        (sums,) = await shadow_sums(conn)
        totals = await shadow_totals(conn, START - timedelta(days=1), START + timedelta(days=1))
        one, other = await shadow_of(conn, "r1"), await shadow_of(conn, "r2")
        tallies = await arm_tallies(conn)
    # then
    assert (sums.target, sums.requests, sums.sent, sums.succeeded) == ("local/shadow", 2, 1, 1)
    assert (sums.latency_ms, sums.cost_micros) == (100, 30)
    assert (totals.requests, totals.sent, totals.cost_micros) == (2, 1, 30)
    assert one is not None
    assert other is not None
    assert (one.request_id, one.sent, other.sent, other.status) == ("r1_shadow", True, False, 429)
    assert tallies[("t1", "default", "tone", "openai/gpt-5")].requests == 1
