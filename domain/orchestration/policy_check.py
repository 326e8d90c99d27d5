"""The rules that a new policy must keep; each breach is named by its JSON pointer."""

from __future__ import annotations

import math
from collections.abc import Iterator

from domain.kernel.errors import FieldError, InvalidInput
from domain.orchestration.policy import CATCH_ALL, Arm, Experiment, PiiPolicy, Policy, Rule

LONGEST_NAME = 256
LONGEST_BUDGET_MS = 3_600_000
LARGEST_WEIGHT = 1_000_000
MOST_RULES = 200
MOST_FALLBACKS = 10
MOST_ARMS = 10
MOST_TOKENS = 10_000_000
_MOST_ERRORS = 20

Errors = Iterator[FieldError]


def check_policy(policy: Policy) -> None:
    """Raise InvalidInput that names every unusable field of a policy."""
    errors = list(_policy_errors(policy))[:_MOST_ERRORS]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}{more}", errors)


def _policy_errors(policy: Policy) -> Errors:
    if len(policy.rules) > MOST_RULES:
        yield FieldError("/rules", f"at most {MOST_RULES} rules, not {len(policy.rules)}")
        return
    first_at: dict[str, int] = {}
    for index, rule in enumerate(policy.rules):
        at = f"/rules/{index}"
        yield from _rule_errors(rule, at)
        segment = "*" if rule.segment in CATCH_ALL else rule.segment
        if segment in first_at:
            yield FieldError(f"{at}/segment", _duplicate(rule.segment, first_at[segment]))
        first_at.setdefault(segment, index)
    yield from _experiment_names(policy)
    yield from _pii_errors(policy.pii, "/pii")


def _duplicate(segment: str, first: int) -> str:
    also = " ('*' and 'default' are the same)" if segment in CATCH_ALL else ""
    return f"segment '{segment}' has a rule already, /rules/{first}{also}; keep one rule a segment"


def _rule_errors(rule: Rule, at: str) -> Errors:
    yield from name_errors(rule.segment, f"{at}/segment")
    yield from _provider_errors(rule.provider, f"{at}/provider")
    yield from name_errors(rule.model, f"{at}/model")
    if len(rule.fallback) > MOST_FALLBACKS:
        yield FieldError(f"{at}/fallback", f"at most {MOST_FALLBACKS} fallbacks, not {len(rule.fallback)}")
    for index, target in enumerate(rule.fallback[:MOST_FALLBACKS]):
        yield from _target_errors(target, f"{at}/fallback/{index}")
    for field, value, most in (
        ("latency_budget_ms", rule.latency_budget_ms, LONGEST_BUDGET_MS),
        ("attempt_timeout_ms", rule.attempt_timeout_ms, LONGEST_BUDGET_MS),
        ("idle_timeout_ms", rule.idle_timeout_ms, LONGEST_BUDGET_MS),
        ("max_tokens", rule.max_tokens, MOST_TOKENS),
    ):
        if value is not None and not 1 <= value <= most:
            yield FieldError(f"{at}/{field}", f"must be from 1 to {most}, not {value}; leave it off for none")
    if rule.experiment is not None:
        yield from _experiment_errors(rule.experiment, f"{at}/experiment")
    yield from _pii_errors(rule.pii, f"{at}/pii")


def _pii_errors(pii: PiiPolicy | None, at: str) -> Errors:
    if pii is None:
        return
    if pii.is_on and not pii.entities:
        yield FieldError(f"{at}/entities", "name at least one kind, or set prompts and answers to 'off'")
    if pii.restore and pii.prompts != "pseudonym":
        detail = "only pseudonyms can be put back; set prompts to 'pseudonym', or restore to false"
        yield FieldError(f"{at}/restore", detail)


def _experiment_errors(experiment: Experiment, at: str) -> Errors:
    yield from name_errors(experiment.name, f"{at}/name")
    if not 2 <= len(experiment.arms) <= MOST_ARMS:
        yield FieldError(f"{at}/arms", f"from 2 to {MOST_ARMS} arms, not {len(experiment.arms)}")
    seen: set[tuple[str | None, str]] = set()
    for index, arm in enumerate(experiment.arms[:MOST_ARMS]):
        yield from _arm_errors(arm, f"{at}/arms/{index}")
        if (arm.provider, arm.model) in seen:
            yield FieldError(f"{at}/arms/{index}", "is the same target as an arm before it; leave one off")
        seen.add((arm.provider, arm.model))
    if experiment.arms and not any(arm.weight > 0 for arm in experiment.arms):
        yield FieldError(f"{at}/arms", "at least one arm needs a weight above 0")
    floor = experiment.exploration_floor
    if not 0 <= floor * max(1, len(experiment.arms)) <= 1:
        yield FieldError(
            f"{at}/exploration_floor",
            f"{floor} for each of {len(experiment.arms)} arms is more than everything; "
            "use at most 1 / number of arms",
        )
    if experiment.shadow is not None:
        yield from _target_errors(experiment.shadow, f"{at}/shadow")


def _arm_errors(arm: Arm, at: str) -> Errors:
    yield from name_errors(arm.model, f"{at}/model")
    if arm.provider is not None:
        yield from _provider_errors(arm.provider, f"{at}/provider")
    if not (math.isfinite(arm.weight) and 0 <= arm.weight <= LARGEST_WEIGHT):
        yield FieldError(f"{at}/weight", f"must be from 0 to {LARGEST_WEIGHT}, not {arm.weight}")


def _experiment_names(policy: Policy) -> Errors:
    seen: set[str] = set()
    for index, rule in enumerate(policy.rules):
        if rule.experiment is None:
            continue
        if rule.experiment.name in seen:
            yield FieldError(
                f"/rules/{index}/experiment/name",
                f"'{rule.experiment.name}' is another rule's experiment; give each its own name",
            )
        seen.add(rule.experiment.name)


def name_errors(value: str, at: str) -> Errors:
    """Yield what is wrong with a segment's, model's or experiment's name."""
    if not value.strip() or len(value) > LONGEST_NAME or not value.isprintable():
        yield FieldError(at, f"use 1 to {LONGEST_NAME} printable characters, not only spaces")


def _provider_errors(value: str, at: str) -> Errors:
    yield from name_errors(value, at)
    if "/" in value:
        yield FieldError(
            at, f"a provider's name holds no '/'; did you mean provider '{value.partition('/')[0]}'?"
        )


def _target_errors(value: str, at: str) -> Errors:
    yield from name_errors(value, at)
    if value.startswith("/") or value.endswith("/"):
        yield FieldError(at, "write a model, or provider/model")
