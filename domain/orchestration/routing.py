"""The routing decision: a pure function from policy, catalogue and request to an ordered list of targets.

`docs/routing.md` tells the same in words and one picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from domain.kernel.errors import NotFound, Unavailable
from domain.kernel.request_record import Decision
from domain.orchestration.assignment import assign
from domain.orchestration.catalogue import FAMILIES, Catalogue, Target, shortened
from domain.orchestration.policy import CATCH_ALL, ActivePolicy, Experiment, Policy, Rule, Strategy

AUTO = "auto"


class ModelNotFound(NotFound):
    """No provider of this tenant offers the requested model; the message names what there is."""


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
    """A decision with the limits the attempts at it must keep; `targets` are those of the decision."""

    decision: Decision
    targets: tuple[Target, ...]
    attempt_timeout_ms: int | None = None
    max_tokens: int | None = None
    best_effort: bool = False
    record_content: bool = False
    shadow: Target | None = None


class _Choice(msgspec.Struct, frozen=True):
    """The first target with what may follow it, before anything is left out."""

    first: Target
    then: tuple[Target, ...]
    because: str
    experiment: Experiment | None = None


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
    single = request.fallback_off or not policy.auto_fallback_enabled
    rest = () if single else _ordered(choice.then, policy.fallback_strategy, measures)
    targets, skipped = _callable((choice.first, *rest), catalogue)
    if not targets:
        raise Unavailable(f"provider {skipped[0][0].partition('/')[0]}", _nowhere(choice, skipped))
    budget = request.latency_budget_ms or (rule.latency_budget_ms if rule else None)
    experiment = choice.experiment
    return Route(
        decision=Decision(
            requested_model=request.model,
            policy=active.label if active else None,
            rule=rule.segment if rule else None,
            strategy=policy.fallback_strategy,
            targets=tuple(str(target) for target in targets),
            skipped=skipped,
            why=_why(choice, policy, targets, skipped, single=single),
            latency_budget_ms=budget,
            experiment=experiment.name if experiment else None,
            arm=str(choice.first) if experiment else None,
        ),
        targets=targets,
        attempt_timeout_ms=rule.attempt_timeout_ms if rule else None,
        max_tokens=rule.max_tokens if rule else None,
        best_effort=policy.on_budget_exhausted == "best_effort",
        record_content=policy.record_content,
        shadow=_shadow(experiment, choice.first, catalogue),
    )


def rule_for(policy: Policy, segment: str | None) -> Rule | None:
    """Return the rule of exactly this segment, else the one for `*` or `default`, else None."""
    catch_all = None
    for rule in policy.rules:
        if rule.segment == segment:
            return rule
        if rule.segment in CATCH_ALL:
            catch_all = rule
    return catch_all


def target_of(reference: str, provider: str, catalogue: Catalogue) -> Target:
    """Read a policy's reference: `provider/model`, or a model of `provider` or of whom the name belongs to.

    A name with a slash whose beginning is no known provider is a model of `provider` when that offers it
    (`meta/llama`), else `provider/model` of a provider that is not configured yet.
    """
    head, slash, tail = reference.partition("/")
    if slash and (catalogue.has(head) or head in catalogue.missing):
        return Target(head, tail)
    own = Target(provider, reference)
    if catalogue.spec(own) is not None or (provider not in FAMILIES and catalogue.offers(own)):
        return own
    owner = catalogue.owner(reference)
    if owner is not None:
        return Target(owner, reference)
    return Target(head, tail) if slash else own


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
    then = _fallbacks(rule, catalogue)
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
    target = _find(rule, catalogue, model, default)
    if active is not None and rule is not None and target == Target(rule.provider, rule.model):
        because = f"the caller asked for it, and rule '{rule.segment}' of {active.label} has it first"
        return _Choice(target, _fallbacks(rule, catalogue), because)
    return _Choice(target, (), "the caller asked for it")


def _find(rule: Rule | None, catalogue: Catalogue, model: str, default: Target) -> Target:
    """Return the target that a requested name means. Raises ModelNotFound."""
    meanings = list(_meanings(rule, catalogue, model, default))
    for target in meanings:
        if catalogue.offers(target):
            return target
    problem = catalogue.problem(meanings[0]) if meanings else "no provider offers it"
    names = shortened([AUTO, *catalogue.listing()])
    raise ModelNotFound(f"model '{model}' cannot be used: {problem}. There is {names}")


def _meanings(rule: Rule | None, catalogue: Catalogue, model: str, default: Target) -> Iterator[Target]:
    """Yield what a name can mean, the most particular reading first."""
    head, slash, tail = model.partition("/")
    if slash and catalogue.has(head):
        yield Target(head, tail)
    ruled = (Target(rule.provider, rule.model), *_fallbacks(rule, catalogue)) if rule else ()
    yield from (target for target in (*ruled, default) if target.model == model)
    owner = catalogue.owner(model)
    if owner is not None:
        yield Target(owner, model)
    if slash:
        yield Target(head, tail)


def _fallbacks(rule: Rule, catalogue: Catalogue) -> tuple[Target, ...]:
    return tuple(target_of(reference, rule.provider, catalogue) for reference in rule.fallback)


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


def _callable(
    wished: Sequence[Target], catalogue: Catalogue
) -> tuple[tuple[Target, ...], tuple[tuple[str, str], ...]]:
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


def _shadow(experiment: Experiment | None, first: Target, catalogue: Catalogue) -> Target | None:
    if experiment is None or experiment.shadow is None:
        return None
    shadow = target_of(experiment.shadow, first.provider, catalogue)
    return shadow if catalogue.offers(shadow) and shadow != first else None


def _nowhere(choice: _Choice, skipped: Sequence[tuple[str, str]]) -> str:
    problems = "; ".join(f"{target}: {problem}" for target, problem in skipped)
    return f"{choice.because} leads nowhere. {problems}"


def _why(
    choice: _Choice, policy: Policy, targets: Sequence[Target], skipped: Sequence[object], *, single: bool
) -> str:
    return " ".join(_sentences(choice, policy, targets, skipped, single=single))


def _sentences(
    choice: _Choice, policy: Policy, targets: Sequence[Target], skipped: Sequence[object], *, single: bool
) -> Iterator[str]:
    yield f"{targets[0]}: {choice.because}."
    if len(targets) > 1:
        yield f"On failure {', '.join(map(str, targets[1:]))}, {_ORDERS[policy.fallback_strategy]}."
    elif single and choice.then:
        yield "Fallback is off."
    if skipped:
        yield f"Left out: {len(skipped)} that cannot be called."
