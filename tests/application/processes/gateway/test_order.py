"""Which target answers: order, fallback, terminal errors, capability, budgets."""

from __future__ import annotations

import json

import pytest

from domain.kernel.errors import InvalidInput
from tests.application.processes.gateway.world import World, call, refused, rules, streamed, whole


@pytest.mark.parametrize("words", ["500", "503", "529", "429=2", "408", "401", "402", "403"])
async def test_a_failure_of_the_provider_moves_on_to_the_next_target(words: str) -> None:
    world = World(rules("one/a", "two/b"))
    world.upstream.script(words, model="a")
    answer, _ = await whole(world, call())
    assert world.upstream.providers == ["one", "two"]
    assert answer.headers["x-aios-model"] == "b"
    assert answer.headers["x-aios-fallback-reason"] == f"status_{words[:3]}"
    assert [a.outcome for a in world.record.attempts] == ["status", "ok"]


@pytest.mark.parametrize("kind", ["refused", "dns", "tls", "timeout_connect", "malformed", "too_large"])
async def test_a_failure_of_the_connection_moves_on(kind: str) -> None:
    world = World(rules("one/a", "two/b"))
    world.upstream.script(f"fail={kind}", model="a")
    await whole(world, call())
    assert [(a.model, a.outcome) for a in world.record.attempts] == [("a", kind), ("b", "ok")]
    assert world.record.fallback_reason == kind


async def test_a_reset_is_tried_once_more_on_the_same_target_and_that_is_no_fallback() -> None:
    world = World(rules("one/a", "two/b"))
    world.upstream.script("reset", model="a")
    answer, _ = await whole(world, call())
    assert world.upstream.providers == ["one", "one"]
    assert "x-aios-fallback-reason" not in answer.headers
    assert world.record.fallback_reason is None


async def test_two_resets_move_on() -> None:
    world = World(rules("one/a", "two/b"))
    world.upstream.script("reset", "reset", model="a")
    await whole(world, call())
    assert [(a.model, a.outcome) for a in world.record.attempts] == [
        ("a", "reset"),
        ("a", "reset"),
        ("b", "ok"),
    ]


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_the_callers_own_mistake_is_returned_and_nobody_else_is_asked(status: int) -> None:
    world = World(rules("one/a", "two/b"))
    world.upstream.script(str(status), model="a")
    error = await refused(world, call())
    assert error.status == status
    assert world.upstream.providers == ["one"]
    assert "fake provider error" in json.loads(error.render("openai", "req_1"))["error"]["message"]
    assert (world.record.outcome, world.record.status) == ("failed", status)


async def test_a_full_context_asks_only_models_with_a_larger_window() -> None:
    policy = rules("sized/small", "sized/smaller", "sized/large")
    world = World(policy, context_windows={"small": 8000, "smaller": 4000, "large": 100_000})
    world.upstream.script("context-length", model="small")
    await whole(world, call())
    assert [a.model for a in world.record.attempts] == ["small", "large"]


async def test_a_full_context_without_a_larger_model_is_the_callers() -> None:
    world = World(rules("sized/small", "sized/smaller"), context_windows={"small": 8000, "smaller": 4000})
    world.upstream.script("context-length", model="small")
    error = await refused(world, call())
    assert error.status == 400
    assert json.loads(error.render("openai", "r"))["error"]["code"] == "context_length_exceeded"


async def test_fallback_off_is_the_first_target_or_an_error() -> None:
    world = World(rules("one/a", "two/b"))
    world.upstream.script("500", model="a")
    error = await refused(world, call(fallback_off=True))
    assert (error.status, error.code) == (502, "upstream_error")
    assert world.upstream.providers == ["one"]


async def test_all_targets_failed_tells_every_attempt() -> None:
    world = World(rules("one/a", "two/b"))
    world.upstream.script("500", model="a")
    world.upstream.script("429=7", model="b")
    error = await refused(world, call())
    assert (error.status, error.headers["retry-after"]) == (429, "7")
    told = json.loads(error.render("openai", "req_1"))["error"]["attempts"]
    assert [(a["model"], a["status"]) for a in told] == [("a", 500), ("b", 429)]
    assert error.headers["x-aios-attempts"].startswith("one/a;status_500;")
    assert error.headers["x-aios-policy"] == "default@3"


async def test_a_budget_that_is_gone_is_a_504_with_the_attempts() -> None:
    world = World(rules("one/a", "two/b", latency_budget_ms=60))
    world.upstream.script("hang", model="a")
    world.upstream.script("hang", model="b")
    error = await refused(world, call())
    assert (error.status, error.code) == (504, "latency_budget_exhausted")
    assert [a["model"] for a in error.extra["attempts"]] == ["a", "b"]  # type: ignore[attr-defined]  # a list
    assert world.record.error_code == "latency_budget_exhausted"


async def test_the_callers_budget_counts_before_the_rules() -> None:
    world = World(rules("one/a", latency_budget_ms=60_000))
    world.upstream.script("hang", model="a")
    assert (await refused(world, call(latency_budget_ms=50))).code == "latency_budget_exhausted"


async def test_best_effort_lets_the_last_attempt_run_beyond_the_budget() -> None:
    policy = rules("one/a", "two/b", latency_budget_ms=50, on_budget_exhausted="best_effort")
    world = World(policy)
    world.upstream.script("hang", model="a")
    world.upstream.script("slow=0.1", model="b")
    await whole(world, call())
    assert [a.outcome for a in world.record.attempts] == ["timeout_first_byte", "ok"]


async def test_an_attempt_timeout_leaves_time_for_the_next_target() -> None:
    world = World(rules("one/a", "two/b", attempt_timeout_ms=50))
    world.upstream.script("slow=30", model="a")
    _, body = await streamed(world, call(stream=True))
    assert b"[DONE]" in body
    assert [(a.model, a.outcome) for a in world.record.attempts] == [("a", "timeout_first_byte"), ("b", "ok")]


async def test_a_provider_removed_a_moment_ago_is_passed_over() -> None:
    world = World(rules("one/a", "two/b"), removed={"one"})
    answer, _ = await whole(world, call())
    assert answer.headers["x-aios-provider"] == "two"
    assert answer.headers["x-aios-fallback-reason"] == "removed"


async def test_what_a_dialect_cannot_say_goes_to_a_target_that_can() -> None:
    world = World(rules("claude/a", "two/b"))
    answer, _ = await whole(world, call(temperature=1.7))
    assert world.upstream.providers == ["two"]
    assert answer.headers["x-aios-fallback-reason"] == "untranslatable"


async def test_what_no_target_can_say_is_the_callers_mistake_and_is_not_recorded() -> None:
    world = World(rules("claude/a"))
    with pytest.raises(InvalidInput, match="/temperature"):
        await world.gateway.serve(call(temperature=1.7))
    assert world.records == []


async def test_an_unknown_model_is_404_and_is_not_recorded() -> None:
    world = World()
    error = await refused(world, call(model="nobody/has-this"))
    assert (error.status, error.code, error.param) == (404, "model_not_found", "/model")
    assert world.records == []


async def test_a_dry_run_calls_nobody_and_records_nothing() -> None:
    world = World(rules("one/a", "two/b"))
    answer, body = await whole(world, call(dry_run=True))
    assert body["decision"]["targets"] == ["one/a", "two/b"]
    assert answer.headers["x-aios-policy"] == "default@3"
    assert (world.upstream.requests, world.records) == ([], [])


async def test_the_default_target_gets_the_operators_temperature() -> None:
    world = World(temperature=0.7)
    await whole(world, call(number=1))
    await whole(world, call(number=2, temperature=0.1))
    await whole(world, call(number=3, top_p=0.5))
    await whole(world, call(number=4, model="one/named"))
    assert [r.json.get("temperature") for r in world.upstream.requests] == [0.7, 0.1, None, None]
