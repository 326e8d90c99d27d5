"""Replaying requests: a draft equal to the live policy changes nothing, others tell what they change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from application.orchestration.upstream import ProviderSpec
from application.processes.gateway.call import Priced
from application.processes.simulation import Simulator
from application.processes.simulation_answers import Simulation
from domain.kernel.errors import Unavailable
from domain.kernel.request_record import Attempt, Decision, TokenCounts
from domain.orchestration.catalogue import Catalogue, Target
from domain.orchestration.policy import ActivePolicy, Arm, Experiment, Policy
from domain.orchestration.routing import Measures, RouteRequest, decide
from tests.domain.given import AT
from tests.domain.orchestration.samples import CATALOGUE, DEFAULT, policy, rule

PER_TOKEN = {"openai/gpt-4o": 10, "ollama/llama": 1, "local/smol": 0}


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded request as the read model tells it."""

    request_id: str
    decision: Decision
    key_id: str = "k1"
    segment: str | None = None
    session: str | None = None
    user: str | None = None
    attempts: tuple[Attempt, ...] = ()
    usage: TokenCounts = TokenCounts(input=80, output=20)
    cost_micros: int | None = 1000
    duration_ms: int = 400
    started_at: Any = AT


class World:
    """Directory and prices of these tests."""

    def policy(self, tenant: str, workspace: str) -> ActivePolicy | None:
        return None

    def catalogue(self, tenant: str) -> Catalogue:
        return CATALOGUE

    def provider(self, tenant: str, name: str) -> ProviderSpec:
        raise Unavailable(name, "no provider is called")

    def measures(self, tenant: str) -> Measures:
        return Measures(cost={"ollama/llama": 1.0, "local/smol": 0.0})

    def cost(self, tenant: str, target: Target, usage: TokenCounts, at: Any) -> Priced:
        rate = PER_TOKEN.get(str(target))
        return Priced(None if rate is None else rate * usage.total, "test")


def attempt(target: Target, outcome: str = "ok") -> Attempt:
    return Attempt(
        provider=target.provider, model=target.model, outcome=outcome, started_ms=0, duration_ms=400
    )


def recorded(live: ActivePolicy, **looked_at: Any) -> Past:
    """Return a request as the gateway decided and recorded it under a live policy."""
    request = RouteRequest(**{"model": "auto", "request_id": "r1", "key_id": "k1", **looked_at})
    route = decide(live, CATALOGUE, request, DEFAULT, World().measures("acme"))
    fields = {name: getattr(request, name) for name in ("request_id", "key_id", "segment", "session", "user")}
    return Past(decision=route.decision, attempts=(attempt(route.targets[0]),), **fields)


async def simulate(draft: Policy, past: Iterable[Past], most: int = 50_000) -> Simulation:
    async def requests() -> AsyncIterator[Past]:
        for each in past:
            yield each

    simulator = Simulator(World(), World(), DEFAULT, lambda _tenant, _target: None)
    return await simulator.run("acme", "default", draft, requests(), most)


def experiment() -> Experiment:
    return Experiment(
        name="tone", arms=(Arm(model="gpt-4o", weight=3), Arm(model="llama", provider="ollama")), unit="user"
    )


LIVE = policy(
    rule(fallback=("ollama/llama", "local/smol", "anthropic/claude")),
    rule("tested", experiment=experiment(), fallback=("local/smol",)),
    rule("cheap", "ollama", "llama", fallback=("openai/gpt-4o", "local/smol")),
    fallback_strategy="cost",
)


async def test_a_draft_equal_to_the_live_policy_changes_no_route_of_ten_thousand():
    # given
    segments = (None, "tested", "cheap", "unknown")
    past = [
        recorded(
            LIVE,
            request_id=f"r{number}",
            segment=segments[number % 4],
            user=f"u{number % 97}" if number % 3 else None,
            model=("auto", "auto", "gpt-4o", "ollama/llama")[number % 7 % 4],
            fallback_off=number % 11 == 0,
        )
        for number in range(10_000)
    ]
    # when
    found = await simulate(LIVE.policy, past)
    # then
    assert (found.requests, found.unchanged, found.fallbacks_changed, found.rerouted) == (
        10_000,
        10_000,
        0,
        0,
    )
    assert (found.changed, found.refused, found.truncated) == ([], [], False)
    assert found.cost_micros.actual == found.cost_micros.simulated == 10_000_000
    assert found.latency_ms.actual == found.latency_ms.simulated
    assert all(share.requests == share.recorded_requests for share in found.routes)


@settings(deadline=None)
@given(st.data())
async def test_whatever_was_asked_the_live_policy_decides_it_alike(data: st.DataObject):
    names = st.sampled_from([None, "tested", "cheap", "x"])
    past = recorded(
        LIVE,
        segment=data.draw(names),
        user=data.draw(st.none() | st.text(max_size=5)),
        session=data.draw(st.none() | st.text(max_size=5)),
        fallback_off=data.draw(st.booleans()),
        model=data.draw(st.sampled_from(["auto", "gpt-4o", "ollama/llama", "smol", "meta/llama"])),
    )
    assert (await simulate(LIVE.policy, [past])).unchanged == 1


async def test_another_target_costs_its_own_price_and_takes_its_own_median():
    # given requests answered by one target, and one by the other, twice as fast
    past = [recorded(policy(rule()), request_id=f"r{n}") for n in range(9)]
    quick = attempt(Target("ollama", "llama"))
    fast = msgspec.structs.replace(quick, duration_ms=200)
    past.append(
        msgspec.structs.replace(
            recorded(LIVE, segment="cheap"), attempts=(fast,), cost_micros=100, duration_ms=200
        )
    )
    # when
    found = await simulate(policy(rule(provider="ollama", model="llama")).policy, past)
    # then
    assert (found.rerouted, found.unchanged, found.fallbacks_changed) == (9, 0, 1)
    assert found.cost_micros.actual == 9100
    assert found.cost_micros.simulated == 1000
    assert found.latency_ms.simulated.p50 is not None
    assert abs(found.latency_ms.simulated.p50 - 200) <= 10
    assert [(share.target, share.requests, share.recorded_requests) for share in found.routes] == [
        ("ollama/llama", 10, 1),
        ("openai/gpt-4o", 0, 9),
    ]
    assert found.changed[0].recorded == ("openai/gpt-4o",)
    assert found.changed[0].simulated == ("ollama/llama",)


async def test_what_the_draft_cannot_route_is_refused_with_the_reason():
    past = [recorded(policy(rule()), request_id=f"r{n}") for n in range(7)]
    found = await simulate(policy(rule(provider="anthropic", model="claude-x")).policy, past)
    (refused,) = found.refused
    assert (refused.code, refused.requests) == ("no_target_available", 7)
    assert refused.request_ids == ("r0", "r1", "r2", "r3", "r4")
    assert "ANTHROPIC_API_KEY" in refused.detail
    assert (found.cost_micros.actual, found.cost_micros.simulated) == (7000, 0)


async def test_targets_that_had_to_rest_then_rest_again():
    # given the first target was passed over, then all were unfit
    live = policy(rule(fallback=("ollama/llama",)))
    past = recorded(live)
    resting = msgspec.structs.replace(
        past.decision,
        targets=("ollama/llama",),
        skipped=(("openai/gpt-4o", "unhealthy: 5 failures in a row"),),
    )
    worst = msgspec.structs.replace(past.decision, targets=("ollama/llama", "openai/gpt-4o"), least_bad=True)
    # when
    replayed = [msgspec.structs.replace(past, decision=decision) for decision in (resting, worst)]
    found = await simulate(live.policy, replayed)
    # then
    assert found.unchanged == 2


async def test_a_request_whose_first_target_failed_is_answered_by_the_next():
    live = policy(rule(fallback=("ollama/llama",)))
    past = msgspec.structs.replace(
        recorded(live),
        attempts=(attempt(Target("openai", "gpt-4o"), "refused"), attempt(Target("ollama", "llama"))),
        cost_micros=100,
    )
    found = await simulate(live.policy, [past])
    assert {share.target: share.answers for share in found.routes} == {"openai/gpt-4o": 0, "ollama/llama": 1}
    assert found.cost_micros.simulated == 100


async def test_no_more_than_asked_for_are_replayed_and_that_is_told():
    past = [recorded(LIVE, request_id=f"r{n}") for n in range(6)]
    found = await simulate(LIVE.policy, past, most=5)
    assert (found.requests, found.truncated) == (5, True)
    assert (await simulate(LIVE.policy, past[:5], most=5)).truncated is False


async def test_unknown_models_are_refused_by_name():
    past = Past(request_id="r1", decision=Decision(requested_model="nobody/has-it"))
    (refused,) = (await simulate(LIVE.policy, [past])).refused
    assert refused.code == "model_not_found"
    assert "nobody/has-it" in refused.detail
