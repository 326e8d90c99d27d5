"""Versions of a policy, what a policy may say, and what changed from one to the next."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given as any_of
from hypothesis import strategies as st

from domain.orchestration.events import ModelPolicySet
from domain.orchestration.model_policy import ModelPolicy
from domain.orchestration.policy import Arm, Experiment, Policy
from domain.orchestration.policy_diff import Change, diff
from domain.orchestration.policy_warnings import warnings
from tests.domain.given import AT, given
from tests.domain.orchestration.samples import CATALOGUE, rule

PLAIN = Policy(rules=(rule("support"), rule("*")))
ARMS = (Arm(model="a"), Arm(model="b"))


def version(number: int, policy: Policy = PLAIN) -> ModelPolicySet:
    return ModelPolicySet(workspace_id="default", version=number, set_at=AT, policy=policy)


def test_the_first_policy_is_version_1():
    given(ModelPolicy).when(lambda p: p.set("default", PLAIN, AT)).then(version(1))


def test_the_same_content_again_is_a_new_version():
    given(ModelPolicy, version(1), version(2)).when(lambda p: p.set("default", PLAIN, AT)).then(version(3))


def test_a_policy_without_rules_is_a_way_back_to_the_default_target():
    given(ModelPolicy, version(1)).when(lambda p: p.set("default", Policy(), AT)).then(version(2, Policy()))


def test_a_workspace_id_that_cannot_be_a_name_is_refused():
    given(ModelPolicy).when(lambda p: p.set("a/b", PLAIN, AT)).then_unusable("/workspace_id")


@pytest.mark.parametrize(
    ("rules", "pointers"),
    [
        ([rule("")], ["/rules/0/segment"]),
        ([rule("a", "open ai/x")], ["/rules/0/provider"]),
        ([rule("a", model=" ")], ["/rules/0/model"]),
        ([rule("a", model="m" * 257)], ["/rules/0/model"]),
        ([rule("a"), rule("b"), rule("a")], ["/rules/2/segment"]),
        ([rule("*"), rule("default")], ["/rules/1/segment"]),
        ([rule("a", fallback=("m", ""))], ["/rules/0/fallback/1"]),
        ([rule("a", fallback=("openai/",))], ["/rules/0/fallback/0"]),
        ([rule("a", fallback=("m",) * 11)], ["/rules/0/fallback"]),
        ([rule("a", latency_budget_ms=0)], ["/rules/0/latency_budget_ms"]),
        ([rule("a", latency_budget_ms=-5)], ["/rules/0/latency_budget_ms"]),
        ([rule("a", latency_budget_ms=3_600_001)], ["/rules/0/latency_budget_ms"]),
        (
            [rule("a", attempt_timeout_ms=0, max_tokens=0)],
            ["/rules/0/attempt_timeout_ms", "/rules/0/max_tokens"],
        ),
        ([rule(str(number)) for number in range(201)], ["/rules"]),
    ],
)
def test_an_unusable_field_is_named_by_its_pointer(rules: list[Any], pointers: list[str]):
    given(ModelPolicy).when(lambda p: p.set("w", Policy(rules=tuple(rules)), AT)).then_unusable(*pointers)


@pytest.mark.parametrize(
    ("experiment", "pointers"),
    [
        (Experiment(name="", arms=ARMS), ["/name"]),
        (Experiment(name="x", arms=ARMS[:1]), ["/arms"]),
        (Experiment(name="x", arms=(*ARMS, Arm(model="a"))), ["/arms/2"]),
        (Experiment(name="x", arms=(Arm(model="a", weight=-1), Arm(model="b"))), ["/arms/0/weight"]),
        (
            Experiment(name="x", arms=(Arm(model="a", weight=float("nan")), Arm(model="b"))),
            ["/arms/0/weight"],
        ),
        (Experiment(name="x", arms=(Arm(model="a", weight=0), Arm(model="b", weight=0))), ["/arms"]),
        (Experiment(name="x", arms=(Arm(model="a", provider="p/q"), Arm(model="b"))), ["/arms/0/provider"]),
        (Experiment(name="x", arms=ARMS, exploration_floor=0.6), ["/exploration_floor"]),
        (Experiment(name="x", arms=ARMS, shadow="/m"), ["/shadow"]),
    ],
)
def test_an_unusable_experiment_is_named_by_its_pointer(experiment: Experiment, pointers: list[str]):
    policy = Policy(rules=(rule("a", experiment=experiment),))
    given(ModelPolicy).when(lambda p: p.set("w", policy, AT)).then_unusable(
        *(f"/rules/0/experiment{pointer}" for pointer in pointers)
    )


def test_two_rules_cannot_run_the_same_experiment():
    one = Experiment(name="x", arms=ARMS)
    policy = Policy(rules=(rule("a", experiment=one), rule("b", experiment=one)))
    given(ModelPolicy).when(lambda p: p.set("w", policy, AT)).then_unusable("/rules/1/experiment/name")


def test_a_hopeless_policy_names_twenty_fields_and_counts_the_rest():
    policy = Policy(rules=tuple(rule("", latency_budget_ms=0) for _ in range(30)))
    error = given(ModelPolicy).when(lambda p: p.set("w", policy, AT)).error
    assert error is not None
    assert len(error.errors) == 20  # type: ignore[attr-defined]  # InvalidInput
    assert "more)" in error.message


def test_the_first_version_is_one_change_a_field():
    changes = diff(None, PLAIN)
    given = [name for name in PLAIN.__struct_fields__ if getattr(PLAIN, name) is not None]
    assert [change.path for change in changes] == [f"/{name}" for name in given]
    assert all(change.old is None for change in changes)


def test_a_changed_value_is_named_by_its_path():
    newer = Policy(rules=(rule("support", latency_budget_ms=5), rule("*")), fallback_strategy="cost")
    assert diff(PLAIN, newer) == (
        Change("/rules/0/latency_budget_ms", None, 5),
        Change("/fallback_strategy", "order", "cost"),
    )


def test_added_and_removed_rules_are_shown_whole():
    shorter = Policy(rules=(rule("support"),))
    gone = msgspec.to_builtins(rule("*"))
    assert diff(PLAIN, shorter) == (Change("/rules/1", gone, None),)
    assert diff(shorter, PLAIN) == (Change("/rules/1", None, gone),)


def test_the_same_content_has_no_changes():
    assert diff(PLAIN, PLAIN) == ()


@any_of(st.data())
def test_the_changes_lead_from_the_old_policy_to_the_new_one(data: st.DataObject):
    def some() -> Policy:
        rules = st.builds(
            rule,
            st.sampled_from("abc"),
            model=st.sampled_from("xyz"),
            fallback=st.lists(st.sampled_from("pq"), max_size=3).map(tuple),
            experiment=st.none() | st.just(Experiment(name="e", arms=ARMS)),
        )
        return Policy(
            rules=tuple(data.draw(st.lists(rules, max_size=4))), record_content=data.draw(st.booleans())
        )

    old, new = some(), some()
    changed = msgspec.json.decode(msgspec.json.encode(old))
    for change in diff(old, new):
        put(changed, change.path.split("/")[1:], change)
    assert pruned(changed) == pruned(msgspec.to_builtins(new))


def put(document: Any, path: list[str], change: Change) -> None:
    *parents, last = path
    for step in parents:
        document = document[int(step) if isinstance(document, list) else step]
    if isinstance(document, list):
        index = int(last)
        document[index : index + 1] = [change.new]
    else:
        document[last] = change.new


def pruned(document: Any) -> Any:
    """Drop the holes that removed items leave."""
    if isinstance(document, dict):
        return {key: pruned(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [pruned(value) for value in document if value is not None]
    return document


def test_what_cannot_work_yet_is_a_warning():
    policy = Policy(
        rules=(
            rule("a", "anthropic", "claude-x", fallback=("ollama/llama", "ollama/llama", "ollama/none")),
            rule(
                "b",
                experiment=Experiment(name="e", arms=(Arm(model="a", provider="nowhere"), Arm(model="b"))),
            ),
        )
    )
    assert warnings(policy, CATALOGUE) == (
        "/rules/0/provider: provider 'anthropic' is not configured: set ANTHROPIC_API_KEY",
        "/rules/0/fallback/1: 'ollama/llama' comes earlier already and is tried once",
        "/rules/0/fallback/2: provider 'ollama' has no model 'none'; it has llama, qwen",
        "/rules/1/experiment/arms/0: provider 'nowhere' is not configured: add it with POST /providers",
    )


def test_a_policy_that_works_has_no_warnings():
    assert warnings(PLAIN, CATALOGUE) == ()
