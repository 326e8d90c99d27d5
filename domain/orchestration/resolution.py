"""What names of models mean: those in a policy's rules, and those that callers ask for."""

from __future__ import annotations

from collections.abc import Iterator

from domain.kernel.errors import NotFound
from domain.orchestration.catalogue import FAMILIES, Catalogue, Target, shortened
from domain.orchestration.policy import CATCH_ALL, Policy, Rule

AUTO = "auto"


class ModelNotFound(NotFound):
    """No provider of this tenant offers the requested model; the message names what there is."""


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


def fallbacks_of(rule: Rule, catalogue: Catalogue) -> tuple[Target, ...]:
    """Return a rule's fallbacks, in its order."""
    return tuple(target_of(reference, rule.provider, catalogue) for reference in rule.fallback)


def requested_target(rule: Rule | None, catalogue: Catalogue, model: str, default: Target) -> Target:
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
    ruled = (Target(rule.provider, rule.model), *fallbacks_of(rule, catalogue)) if rule else ()
    yield from (target for target in (*ruled, default) if target.model == model)
    owner = catalogue.owner(model)
    if owner is not None:
        yield Target(owner, model)
    if slash:
        yield Target(head, tail)
