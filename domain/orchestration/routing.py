"""The routing decision: a pure function from policy, catalogue and request to an ordered list of targets.

`docs/routing.md` tells the same in words and one picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from domain.kernel.errors import Unavailable
from domain.kernel.request_record import Decision
from domain.orchestration.assignment import assign
from domain.orchestration.catalogue import Catalogue, Target
from domain.orchestration.policy import ActivePolicy, Experiment, PiiPolicy, Policy, Rule, Strategy
from domain.orchestration.resolution import AUTO, fallbacks_of, requested_target, rule_for, target_of


class RouteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the decision looks at in a request. `latency_budget_ms` is the caller's own, from its header."""

    model: str
    request_id: str
    key_id: str
    segment: str | None = None
    session: str | None = None
    user: str | None = None
    fallback_off: bool = False
    latency_budget_ms: int | None = None


class Scores(Protocol):
    """Numbers by `provider/model`; a dictionary is one, and so is what looks them up when asked."""

    def get(self, target: str, default: float, /) -> float: ...


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of targets (by `provider/model`) at this moment; all of it may be empty.

    `first_content_ms` and `cost` (any one unit): lower is better. `quality`: -1 to 1, higher is better.
    `arm_shares`: the shares an experiment's results lead to, by its name, in the order of its arms.
    """

    first_content_ms: Scores = {}
    cost: Scores = {}
    quality: Scores = {}
    arm_shares: Mapping[str, Sequence[float]] = {}


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A decision with the limits the attempts at it must keep; `targets` are those of the decision.

    `avoided` says why the policy's own first target is not among them at this moment.
    """

    decision: Decision
    targets: tuple[Target, ...]
    attempt_timeout_ms: int | None = None
    idle_timeout_ms: int | None = None
    max_tokens: int | None = None
    best_effort: bool = False
    record_content: bool = False
    pii: PiiPolicy | None = None
    shadow: Target | None = None
    avoided: Literal["unhealthy", "throttled"] | None = None


class _Choice(msgspec.Struct, frozen=True):
    """The first target with what may follow it, before anything is left out."""

    first: Target
    then: tuple[Target, ...]
    because: str
    experiment: Experiment | None = None


Targets = tuple[Target, ...]
Skipped = tuple[tuple[str, str], ...]
_ORDERS: Mapping[Strategy, str] = {
    "order": "in the order of the rule",
    "latency": "fastest first",
    "cost": "cheapest first",
    "quality": "best rated first",
}
_NO_POLICY = Policy()
_NOTHING_MEASURED = Measures()


def decide(
    active: ActivePolicy | None,
    catalogue: Catalogue,
    request: RouteRequest,
    default: Target,
    measures: Measures = _NOTHING_MEASURED,
) -> Route:
    """Return where a request goes, in which order, and why.

    Raises ModelNotFound for a requested model that nobody offers, and Unavailable when the policy names only
    targets that cannot be called.
    """
    policy = active.policy if active else _NO_POLICY
    rule = rule_for(policy, request.segment)
    if request.model == AUTO:
        choice = _automatic(active, rule, catalogue, request, default, measures)
    else:
        choice = _requested(active, rule, catalogue, request.model, default)
    off = request.fallback_off or not policy.auto_fallback_enabled
    rest = () if off else _ordered(choice.then, policy.fallback_strategy, measures)
    targets, skipped = _callable((choice.first, *rest), catalogue)
    if not targets:
        raise Unavailable(f"provider {choice.first.provider}", _nowhere(choice, skipped))
    return Route(
        decision=_decision(active, rule, request, choice, targets, skipped),
        targets=targets,
        attempt_timeout_ms=rule.attempt_timeout_ms if rule else None,
        idle_timeout_ms=rule.idle_timeout_ms if rule else None,
        max_tokens=rule.max_tokens if rule else None,
        best_effort=policy.on_budget_exhausted == "best_effort",
        record_content=policy.record_content,
        pii=_pii(policy, rule),
        shadow=_shadow(choice, catalogue),
    )


def _pii(policy: Policy, rule: Rule | None) -> PiiPolicy | None:
    """Return what is done about personal data, None for nothing; a rule's own word counts."""
    own = rule.pii if rule is not None and rule.pii is not None else policy.pii
    return own if own is not None and own.is_on else None


def _automatic(
    active: ActivePolicy | None,
    rule: Rule | None,
    catalogue: Catalogue,
    request: RouteRequest,
    default: Target,
    measures: Measures,
) -> _Choice:
    if active is None or rule is None:
        reason = "the workspace has no policy" if active is None else f"no rule of {active.label} matches"
        return _Choice(default, (), f"{reason}, so the default target")
    because = f"rule '{rule.segment}' of {active.label}"
    then = fallbacks_of(rule, catalogue)
    first = Target(rule.provider, rule.model)
    if rule.experiment is None:
        return _Choice(first, then, because)
    arm = assign(rule.experiment, request, measures.arm_shares.get(rule.experiment.name))
    chosen = Target(arm.provider or rule.provider, arm.model)
    because = f"experiment '{rule.experiment.name}' of {because}"
    return _Choice(chosen, (first, *then), because, rule.experiment)


def _requested(
    active: ActivePolicy | None, rule: Rule | None, catalogue: Catalogue, model: str, default: Target
) -> _Choice:
    target = requested_target(rule, catalogue, model, default)
    if active is not None and rule is not None and target == Target(rule.provider, rule.model):
        because = f"the caller asked for it, and rule '{rule.segment}' of {active.label} has it first"
        return _Choice(target, fallbacks_of(rule, catalogue), because)
    return _Choice(target, (), "the caller asked for it")


def _ordered(targets: tuple[Target, ...], strategy: Strategy, measures: Measures) -> Sequence[Target]:
    """Return fallbacks in the order of a strategy; equal ones stay as the rule has them.

    A target whose latency was never measured comes first, so that it gets measured; one without a known
    price comes last; one without feedback counts as neutral.
    """
    match strategy:
        case "latency":
            return sorted(targets, key=lambda t: measures.first_content_ms.get(str(t), -1.0))
        case "cost":
            return sorted(targets, key=lambda t: measures.cost.get(str(t), float("inf")))
        case "quality":
            return sorted(targets, key=lambda t: -measures.quality.get(str(t), 0.0))
        case _:
            return targets


def _callable(wished: Sequence[Target], catalogue: Catalogue) -> tuple[Targets, Skipped]:
    """Return each target once: those that can be called, and the others with the reason."""
    targets: list[Target] = []
    skipped: list[tuple[str, str]] = []
    for target in dict.fromkeys(wished):
        problem = catalogue.problem(target)
        if problem is None:
            targets.append(target)
        else:
            skipped.append((str(target), problem))
    return tuple(targets), tuple(skipped)


def _shadow(choice: _Choice, catalogue: Catalogue) -> Target | None:
    if choice.experiment is None or choice.experiment.shadow is None:
        return None
    shadow = target_of(choice.experiment.shadow, choice.first.provider, catalogue)
    return shadow if catalogue.offers(shadow) and shadow != choice.first else None


def _decision(
    active: ActivePolicy | None,
    rule: Rule | None,
    request: RouteRequest,
    choice: _Choice,
    targets: Targets,
    skipped: Skipped,
) -> Decision:
    strategy: Strategy = active.policy.fallback_strategy if active else "order"
    return Decision(
        requested_model=request.model,
        policy=active.label if active else None,
        rule=rule.segment if rule else None,
        strategy=strategy,
        targets=tuple(str(target) for target in targets),
        skipped=skipped,
        why=" ".join(_sentences(choice, strategy, targets, skipped)),
        latency_budget_ms=request.latency_budget_ms or (rule.latency_budget_ms if rule else None),
        experiment=choice.experiment.name if choice.experiment else None,
        arm=str(choice.first) if choice.experiment else None,
        fallback_off=request.fallback_off,
    )


def _sentences(choice: _Choice, strategy: Strategy, targets: Targets, skipped: Skipped) -> Iterator[str]:
    yield f"{targets[0]}: {choice.because}."
    if len(targets) > 1:
        yield f"On failure {', '.join(map(str, targets[1:]))}, {_ORDERS[strategy]}."
    elif not skipped and set(choice.then) - {choice.first}:
        yield "Fallback is off."
    if skipped:
        yield f"Left out, since it cannot be called: {', '.join(target for target, _ in skipped)}."


def _nowhere(choice: _Choice, skipped: Skipped) -> str:
    return (
        f"{choice.because} leads nowhere. {'; '.join(f'{target}: {problem}' for target, problem in skipped)}"
    )
