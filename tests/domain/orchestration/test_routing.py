"""Where a request goes: by rule, by name, by default; in which order; and why."""

from __future__ import annotations

import pytest

from domain.kernel.errors import Unavailable
from domain.orchestration.resolution import ModelNotFound
from domain.orchestration.routing import Measures, decide
from tests.domain.given import refused
from tests.domain.orchestration.samples import CATALOGUE, DEFAULT, policy, request, rule

SUPPORT = rule("support", fallback=("gpt-4o-mini", "ollama/llama"), latency_budget_ms=2000)
REST = rule("*", "ollama", "llama")


def targets(active, asked, measures=None) -> list[str]:
    route = decide(active, CATALOGUE, asked, DEFAULT, measures or Measures())
    assert [str(target) for target in route.targets] == list(route.decision.targets)
    return list(route.decision.targets)


def test_without_a_policy_auto_goes_to_the_default_target():
    route = decide(None, CATALOGUE, request(), DEFAULT)
    assert route.decision.targets == ("local/smol",)
    assert route.decision.policy is None
    assert route.decision.why == "local/smol: the workspace has no policy, so the default target."


def test_a_rule_matches_its_segment_exactly():
    route = decide(policy(REST, SUPPORT), CATALOGUE, request(segment="support"), DEFAULT)
    assert route.decision.targets == ("openai/gpt-4o", "openai/gpt-4o-mini", "ollama/llama")
    assert (route.decision.policy, route.decision.rule) == ("default@3", "support")
    assert route.decision.latency_budget_ms == 2000


@pytest.mark.parametrize("catch_all", ["*", "default"])
@pytest.mark.parametrize("segment", [None, "sales", "Support"])
def test_the_catch_all_takes_what_nothing_else_matched(catch_all: str, segment: str | None):
    assert targets(policy(SUPPORT, rule(catch_all, "ollama", "llama")), request(segment=segment)) == [
        "ollama/llama"
    ]


def test_a_segment_without_any_rule_goes_to_the_default_target():
    route = decide(policy(SUPPORT), CATALOGUE, request(segment="sales"), DEFAULT)
    assert route.decision.targets == ("local/smol",)
    assert route.decision.rule is None
    assert "no rule of default@3 matches" in route.decision.why


def test_fallback_off_leaves_the_first_target():
    active = policy(SUPPORT)
    assert targets(active, request(segment="support", fallback_off=True)) == ["openai/gpt-4o"]


def test_a_policy_without_automatic_fallback_leaves_the_first_target():
    active = policy(SUPPORT, auto_fallback_enabled=False)
    route = decide(active, CATALOGUE, request(segment="support"), DEFAULT)
    assert route.decision.targets == ("openai/gpt-4o",)
    assert "Fallback is off." in route.decision.why


def test_a_target_is_never_tried_twice():
    active = policy(rule(fallback=("gpt-4o", "openai/gpt-4o", "ollama/llama", "ollama/llama")))
    assert targets(active, request()) == ["openai/gpt-4o", "ollama/llama"]


def test_a_target_that_is_not_configured_is_left_out_and_said():
    active = policy(rule(provider="anthropic", model="claude-x", fallback=("nowhere/m", "ollama/llama")))
    decision = decide(active, CATALOGUE, request(), DEFAULT).decision
    assert decision.targets == ("ollama/llama",)
    assert decision.skipped == (
        ("anthropic/claude-x", "provider 'anthropic' is not configured: set ANTHROPIC_API_KEY"),
        ("nowhere/m", "provider 'nowhere' is not configured: add it with POST /providers"),
    )
    assert "anthropic/claude-x" in decision.why


def test_a_rule_that_leads_nowhere_says_so():
    active = policy(rule(provider="anthropic", model="claude-x", fallback=("ollama/llama",)))
    error = refused(Unavailable, lambda: decide(active, CATALOGUE, request(fallback_off=True), DEFAULT))
    assert "rule '*' of default@3 leads nowhere" in error.message
    assert "ANTHROPIC_API_KEY" in error.message


@pytest.mark.parametrize(
    ("model", "target"),
    [
        ("ollama/llama", "ollama/llama"),
        ("router/meta/llama", "router/meta/llama"),
        ("openai/brand-new", "openai/brand-new"),
        ("open/any/thing", "open/any/thing"),
        ("qwen", "ollama/qwen"),
        ("meta/llama", "router/meta/llama"),
        ("gpt-4o-2024-08-06", "openai/gpt-4o-2024-08-06"),
        ("smol", "local/smol"),
    ],
)
def test_a_named_model_is_what_the_caller_gets(model: str, target: str):
    route = decide(policy(SUPPORT), CATALOGUE, request(model), DEFAULT)
    assert route.decision.targets == (target,)
    assert "the caller asked for it" in route.decision.why


def test_a_named_model_that_a_rule_has_first_keeps_the_rules_fallbacks():
    assert targets(policy(SUPPORT), request("gpt-4o", segment="support")) == [
        "openai/gpt-4o",
        "openai/gpt-4o-mini",
        "ollama/llama",
    ]


def test_a_named_model_keeps_the_limits_of_its_segments_rule():
    active = policy(rule("support", latency_budget_ms=900, max_tokens=50, attempt_timeout_ms=400))
    route = decide(active, CATALOGUE, request("qwen", segment="support"), DEFAULT)
    assert route.decision.latency_budget_ms == 900
    assert (route.max_tokens, route.attempt_timeout_ms) == (50, 400)


def test_the_callers_budget_comes_before_the_rules():
    asked = request(segment="support", latency_budget_ms=300)
    assert decide(policy(SUPPORT), CATALOGUE, asked, DEFAULT).decision.latency_budget_ms == 300


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ("no-such-model", "no provider offers it"),
        ("ollama/nothing", "it has llama, qwen"),
        ("anthropic/claude-x", "set ANTHROPIC_API_KEY"),
        ("claude-x", "set ANTHROPIC_API_KEY"),
        ("nowhere/m", "POST /providers"),
        ("AUTO", "no provider offers it"),
    ],
)
def test_an_unknown_model_is_refused_with_what_there_is(model: str, word: str):
    error = refused(ModelNotFound, lambda: decide(None, CATALOGUE, request(model), DEFAULT))
    assert word in error.message
    assert f"'{model}'" in error.message
    assert "auto, ollama/llama, ollama/qwen, router/meta/llama, open/*, openai/*, local/smol" in error.message


@pytest.mark.parametrize(
    ("provider", "reference", "target"),
    [
        ("openai", "gpt-4o-mini", "openai/gpt-4o-mini"),
        ("openai", "unheard-of", "openai/unheard-of"),
        ("openai", "qwen", "ollama/qwen"),
        ("openai", "claude-x", "anthropic/claude-x"),
        ("open", "gpt-4o", "open/gpt-4o"),
        ("ollama", "qwen", "ollama/qwen"),
        ("router", "meta/llama", "router/meta/llama"),
        ("openai", "ollama/qwen", "ollama/qwen"),
        ("openai", "later/model", "later/model"),
    ],
)
def test_a_fallback_is_a_model_or_a_provider_with_a_model(provider: str, reference: str, target: str):
    decision = decide(
        policy(rule(provider=provider, model="first", fallback=(reference, "local/smol"))),
        CATALOGUE,
        request(),
        DEFAULT,
    ).decision
    assert target in {*decision.targets, *(name for name, _ in decision.skipped)}


FOUR = rule(fallback=("ollama/llama", "ollama/qwen", "local/smol"))


@pytest.mark.parametrize(
    ("strategy", "measures", "order"),
    [
        ("order", Measures(cost={"local/smol": 0}), ["ollama/llama", "ollama/qwen", "local/smol"]),
        (
            "latency",
            Measures(first_content_ms={"ollama/llama": 900, "local/smol": 40}),
            ["ollama/qwen", "local/smol", "ollama/llama"],
        ),
        (
            "cost",
            Measures(cost={"local/smol": 0, "ollama/qwen": 5.5}),
            ["local/smol", "ollama/qwen", "ollama/llama"],
        ),
        (
            "quality",
            Measures(quality={"ollama/llama": -0.2, "local/smol": 0.9}),
            ["local/smol", "ollama/qwen", "ollama/llama"],
        ),
    ],
)
def test_a_strategy_orders_the_fallbacks_behind_the_first_target(strategy, measures, order):
    active = policy(FOUR, fallback_strategy=strategy)
    assert targets(active, request(), measures) == ["openai/gpt-4o", *order]
    assert decide(active, CATALOGUE, request(), DEFAULT, measures).decision.strategy == strategy


def test_what_the_policy_says_of_content_and_budget_comes_along():
    active = policy(FOUR, record_content=True, on_budget_exhausted="best_effort")
    route = decide(active, CATALOGUE, request(), DEFAULT)
    assert (route.record_content, route.best_effort) == (True, True)
