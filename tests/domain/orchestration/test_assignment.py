"""Arms of experiments: sticky by unit, shared by weight, kept in the decision."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.orchestration.assignment import assign
from domain.orchestration.policy import Arm, Experiment
from domain.orchestration.routing import Measures, decide
from tests.domain.orchestration.samples import CATALOGUE, DEFAULT, policy, request, rule

ARMS = (Arm(model="gpt-4o", weight=3), Arm(model="qwen", provider="ollama", weight=1))
TEST = Experiment(name="cheaper", arms=ARMS)


def share(weights: list[float] | None = None, experiment: Experiment = TEST) -> Counter[str]:
    asked = (request(session=f"s{number}") for number in range(4000))
    return Counter(assign(experiment, each, weights).model for each in asked)


def test_the_shares_follow_the_weights():
    assert share()["gpt-4o"] == pytest.approx(3000, abs=150)


def test_measured_shares_replace_the_weights():
    assert share([0.1, 0.9])["qwen"] == pytest.approx(3600, abs=150)


def test_shares_for_another_number_of_arms_are_ignored():
    assert share([1.0]) == share()


def test_an_arm_of_weight_zero_gets_nothing():
    halted = Experiment(name="x", arms=(Arm(model="a", weight=0), Arm(model="b"), Arm(model="c", weight=0)))
    assert share(experiment=halted) == {"b": 4000}


@given(st.text(), st.text())
def test_the_same_session_gets_the_same_arm(session: str, request_id: str):
    first = assign(TEST, request(session=session or "s"))
    assert assign(TEST, request(session=session or "s", request_id=request_id, key_id="other")) == first


@pytest.mark.parametrize(("unit", "sticky"), [("session", "session"), ("user", "user"), ("key", "key_id")])
def test_each_unit_is_sticky_by_its_own_id(unit, sticky):
    experiment = Experiment(name="cheaper", arms=ARMS, unit=unit)
    others = {"session": "a", "user": "b", "key_id": "c"}
    for number in range(20):
        ids = {**others, sticky: f"same{number}"}
        changed = {name: value if name == sticky else value + "!" for name, value in ids.items()}
        assert assign(experiment, request(**ids)) == assign(experiment, request(**changed))


def test_a_request_without_the_unit_is_assigned_by_its_own_id():
    arms = {assign(TEST, request(request_id=f"r{number}")).model for number in range(50)}
    assert arms == {"gpt-4o", "qwen"}


def test_the_arm_goes_first_and_the_rules_own_model_and_fallbacks_follow():
    active = policy(rule(model="gpt-4o", fallback=("local/smol",), experiment=TEST))
    for number in range(20):
        asked = request(session=f"s{number}")
        arm = assign(TEST, asked)
        decision = decide(active, CATALOGUE, asked, DEFAULT).decision
        first = f"{arm.provider or 'openai'}/{arm.model}"
        assert (decision.experiment, decision.arm) == ("cheaper", first)
        assert decision.targets == tuple(dict.fromkeys([first, "openai/gpt-4o", "local/smol"]))


def test_results_move_the_shares_of_a_decision():
    active = policy(rule(experiment=TEST))
    all_to_qwen = Measures(arm_shares={"cheaper": [0.0, 1.0]})
    routes = [decide(active, CATALOGUE, request(session=f"s{n}"), DEFAULT, all_to_qwen) for n in range(20)]
    assert {route.decision.arm for route in routes} == {"ollama/qwen"}


def test_a_named_model_takes_no_part_in_an_experiment():
    active = policy(rule(experiment=TEST))
    decision = decide(active, CATALOGUE, request("gpt-4o"), DEFAULT).decision
    assert (decision.experiment, decision.arm) == (None, None)


@pytest.mark.parametrize(("shadow", "found"), [("ollama/llama", "ollama/llama"), ("anthropic/x", "None")])
def test_a_shadow_that_can_be_called_comes_along(shadow: str, found: str):
    active = policy(rule(experiment=Experiment(name="s", arms=ARMS, shadow=shadow)))
    assert str(decide(active, CATALOGUE, request(), DEFAULT).shadow) == found
