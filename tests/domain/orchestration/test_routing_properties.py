"""What holds of every routing decision, whatever the policy."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.kernel.errors import Unavailable
from domain.orchestration.policy import ActivePolicy, Policy, Rule
from domain.orchestration.resolution import ModelNotFound
from domain.orchestration.routing import Measures, Route, RouteRequest, decide
from tests.domain.given import AT
from tests.domain.orchestration.samples import CATALOGUE, DEFAULT

SEGMENTS = ["support", "sales", "vip"]
PROVIDERS = st.sampled_from(["openai", "anthropic", "ollama", "router", "open", "local", "nowhere"])
MODELS = st.sampled_from(["gpt-4o", "claude-x", "llama", "qwen", "meta/llama", "smol", "unheard-of"])
REFERENCES = st.one_of(MODELS, st.builds("{}/{}".format, PROVIDERS, MODELS))
SCORES = st.dictionaries(st.builds("{}/{}".format, PROVIDERS, MODELS), st.floats(-1, 1), max_size=6)


def rules_for(segment: str) -> st.SearchStrategy[Rule]:
    return st.builds(
        Rule,
        segment=st.just(segment),
        provider=PROVIDERS,
        model=MODELS,
        fallback=st.lists(REFERENCES, max_size=6).map(tuple),
        latency_budget_ms=st.none() | st.integers(1, 1000),
    )


POLICIES = st.builds(
    Policy,
    rules=st.tuples(*(rules_for(segment) for segment in [*SEGMENTS, "*"])),
    fallback_strategy=st.sampled_from(["order", "latency", "cost", "quality"]),
    auto_fallback_enabled=st.booleans(),
).map(lambda made: ActivePolicy(workspace_id="w", version=1, set_by="k", set_at=AT, policy=made))
REQUESTS = st.builds(
    RouteRequest,
    model=st.one_of(st.just("auto"), REFERENCES),
    request_id=st.just("r"),
    key_id=st.just("k"),
    segment=st.none() | st.sampled_from(SEGMENTS),
    fallback_off=st.booleans(),
)
MEASURES = st.builds(Measures, first_content_ms=SCORES, cost=SCORES, quality=SCORES)


def routed(active: ActivePolicy | None, request: RouteRequest, measures: Measures) -> Route | None:
    try:
        return decide(active, CATALOGUE, request, DEFAULT, measures)
    except (ModelNotFound, Unavailable):
        return None


@settings(max_examples=300)
@given(st.none() | POLICIES, REQUESTS, MEASURES)
def test_targets_are_distinct_can_be_called_and_are_the_same_each_time(active, request, measures):
    route = routed(active, request, measures)
    if route is None:
        return
    assert len(set(route.targets)) == len(route.targets) > 0
    assert all(CATALOGUE.offers(target) for target in route.targets)
    assert route == routed(active, request, measures)


@given(POLICIES, REQUESTS, MEASURES)
def test_fallback_off_means_one_target(active, request, measures):
    route = routed(active, request, measures)
    if route is not None and (request.fallback_off or not active.policy.auto_fallback_enabled):
        assert len(route.targets) == 1


@given(POLICIES, REQUESTS, MEASURES)
def test_an_exact_segment_comes_before_the_catch_all(active, request, measures):
    route = routed(active, request, measures)
    if route is not None:
        assert route.decision.rule == (request.segment or "*")


@given(POLICIES, REQUESTS, MEASURES)
def test_a_strategy_changes_the_order_and_nothing_else(active, request, measures):
    route = routed(active, request, measures)
    plain = routed(active, request, Measures())
    assert (route is None) == (plain is None)
    if route is not None and plain is not None:
        assert set(route.targets) == set(plain.targets)
        assert set(route.decision.skipped) == set(plain.decision.skipped)


@given(st.none() | POLICIES, REQUESTS, MEASURES)
def test_a_named_provider_and_model_is_the_first_target(active, request, measures):
    route = routed(active, request, measures)
    head, slash, _ = request.model.partition("/")
    if route is not None and slash and CATALOGUE.has(head):
        assert route.decision.targets[0] == request.model
