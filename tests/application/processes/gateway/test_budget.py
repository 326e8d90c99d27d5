"""Latency budgets: what an attempt may take, who is left out, and what the record tells."""

from __future__ import annotations

import time

from domain.kernel.request_record import Attempt
from tests.application.processes.gateway.world import TENANT, World, call, refused, rules, streamed, whole


def measured(world: World, target: str, ms: int, *, times: int = 6, stream: bool = True) -> None:
    """Let a target have answered after so many milliseconds."""
    provider, _, model = target.partition("/")
    for _ in range(times):
        ended = Attempt(
            provider=provider,
            model=model,
            outcome="ok",
            started_ms=0,
            duration_ms=ms,
            credential=f"cred-{provider}",
            first_content_ms=ms,
        )
        world.health.observe(TENANT, ended, streamed=stream)


async def test_a_hanging_target_leaves_its_fallback_the_time_that_it_usually_needs() -> None:
    world = World(rules("one/a", "two/b", latency_budget_ms=2000))
    measured(world, "two/b", 1200)
    world.upstream.script("hang", model="a")
    _, body = await streamed(world, call(stream=True))
    assert b"[DONE]" in body
    first, second = world.record.attempts
    assert (first.outcome, second.outcome) == ("timeout_first_byte", "ok")
    assert 700 <= first.duration_ms < 2000


async def test_a_fallback_that_nobody_measured_gets_a_share() -> None:
    world = World(rules("one/a", "two/b", latency_budget_ms=900))
    world.upstream.script("hang", model="a")
    await whole(world, call())
    assert [(a.model, a.outcome) for a in world.record.attempts] == [("a", "timeout_first_byte"), ("b", "ok")]


async def test_a_target_that_is_usually_too_slow_is_not_called() -> None:
    world = World(rules("one/a", "two/b", latency_budget_ms=500))
    measured(world, "one/a", 2000)
    answer, _ = await streamed(world, call(stream=True))
    assert world.upstream.providers == ["two"]
    assert answer.headers["x-aios-fallback-reason"] == "too_slow"
    decision = world.record.decision
    assert decision.targets == ("two/b",)
    ((name, why),) = decision.skipped
    assert name == "one/a"
    assert why.startswith("too_slow: its p95 of ")
    assert world.record.fallback_reason == "too_slow"


async def test_streams_are_not_judged_by_whole_answers() -> None:
    world = World(rules("one/a", "two/b", latency_budget_ms=500))
    measured(world, "one/a", 2000, stream=False)
    await streamed(world, call(stream=True))
    assert world.upstream.providers == ["one"]


async def test_a_dry_run_tells_who_would_be_left_out() -> None:
    world = World(rules("one/a", "two/b", latency_budget_ms=500))
    measured(world, "one/a", 2000, stream=False)
    answer, body = await whole(world, call(dry_run=True))
    assert body["decision"]["targets"] == ["two/b"]
    assert [name for name, _ in body["decision"]["skipped"]] == ["one/a"]
    assert answer.headers["x-aios-model"] == "b"


async def test_without_a_budget_the_slowest_target_has_its_turn() -> None:
    world = World(rules("one/a", "two/b"))
    measured(world, "one/a", 200_000)
    await streamed(world, call(stream=True))
    assert world.upstream.providers == ["one"]


async def test_when_a_failure_leaves_too_little_time_the_504_tells_who_was_left_out() -> None:
    world = World(rules("one/a", "two/b", latency_budget_ms=900))
    measured(world, "two/b", 2000)
    world.upstream.script("slow-headers=0.1+500", model="a")
    error = await refused(world, call(stream=True))
    assert (error.status, error.code) == (504, "latency_budget_exhausted")
    assert [a.outcome for a in world.record.attempts] == ["status"]
    assert [name for name, _ in world.record.decision.skipped] == ["two/b"]
    assert "two/b" in error.message


async def test_when_every_target_is_too_slow_the_quickest_is_tried() -> None:
    world = World(rules("one/a", "two/b", latency_budget_ms=200))
    measured(world, "one/a", 5000)
    measured(world, "two/b", 3000)
    await streamed(world, call(stream=True))
    assert world.upstream.providers == ["two"]
    assert [name for name, _ in world.record.decision.skipped] == ["one/a"]


async def test_best_effort_leaves_the_last_target_in_however_slow_it_is() -> None:
    world = World(rules("one/a", "two/b", latency_budget_ms=100, on_budget_exhausted="best_effort"))
    for target in ("one/a", "two/b"):
        measured(world, target, 3000)
    began = time.monotonic()
    world.upstream.script("slow=0.2", model="b")
    await streamed(world, call(stream=True))
    assert world.upstream.providers == ["two"]
    assert time.monotonic() - began >= 0.2


async def test_the_rules_own_timeout_holds_when_it_is_shorter() -> None:
    world = World(rules("one/a", "two/b", latency_budget_ms=5000, attempt_timeout_ms=50))
    world.upstream.script("hang", model="a")
    await whole(world, call())
    assert world.record.attempts[0].duration_ms < 1000
