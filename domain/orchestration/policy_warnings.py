"""What in a policy cannot work yet: it may name providers that are not configured."""

from __future__ import annotations

from collections.abc import Iterator

from domain.orchestration.catalogue import Catalogue, Target
from domain.orchestration.policy import Policy, Rule
from domain.orchestration.resolution import target_of


def warnings(policy: Policy, catalogue: Catalogue) -> tuple[str, ...]:
    """Return one sentence for each target that cannot be called now, and for each fallback without effect."""
    return tuple(
        warning
        for index, rule in enumerate(policy.rules)
        for warning in _rule_warnings(f"/rules/{index}", rule, catalogue)
    )


def _rule_warnings(at: str, rule: Rule, catalogue: Catalogue) -> Iterator[str]:
    first = Target(rule.provider, rule.model)
    yield from _problem(f"{at}/provider", first, catalogue)
    seen = {first}
    for index, reference in enumerate(rule.fallback):
        target = target_of(reference, rule.provider, catalogue)
        if target in seen:
            yield f"{at}/fallback/{index}: '{target}' comes earlier already and is tried once"
        seen.add(target)
        yield from _problem(f"{at}/fallback/{index}", target, catalogue)
    if rule.experiment is None:
        return
    for index, arm in enumerate(rule.experiment.arms):
        target = Target(arm.provider or rule.provider, arm.model)
        yield from _problem(f"{at}/experiment/arms/{index}", target, catalogue)
    if rule.experiment.shadow is not None:
        shadow = target_of(rule.experiment.shadow, rule.provider, catalogue)
        yield from _problem(f"{at}/experiment/shadow", shadow, catalogue)


def _problem(at: str, target: Target, catalogue: Catalogue) -> Iterator[str]:
    problem = catalogue.problem(target)
    if problem is not None:
        yield f"{at}: {problem}"
