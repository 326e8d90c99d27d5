"""What decisions know of targets: live latency, prices, and what was learned from ratings and experiments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from domain.orchestration.experiments import Tally, arm_names, quality_score, thompson_shares
from domain.orchestration.policy import ActivePolicy, Experiment
from domain.orchestration.routing import Measures, Scores

Arm = tuple[str, str, str, str]
"""Tenant, workspace, experiment, and the arm as decisions name it."""


class Rating(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of the ratings, each from -1 to 1, of one target's answers."""

    tenant: str
    target: str
    count: int
    total: float
    squares: float


class LiveMeasures:
    """Answers a tenant's measures from memory; `learn` replaces what was learned, some seconds old."""

    def __init__(self, latencies: Callable[[str], Scores], rates: Callable[[str], Scores]) -> None:
        self._latencies = latencies
        self._rates = rates
        self._quality: Mapping[str, Mapping[str, float]] = {}
        self._shares: Mapping[str, Mapping[str, Sequence[float]]] = {}

    def __call__(self, tenant: str) -> Measures:
        """Return what is known of the tenant's targets."""
        return Measures(
            first_content_ms=self._latencies(tenant),
            cost=self._rates(tenant),
            quality=self._quality.get(tenant, {}),
            arm_shares=self._shares.get(tenant, {}),
        )

    def learn(
        self,
        ratings: Iterable[Rating],
        policies: Iterable[tuple[str, ActivePolicy]],
        tallies: Mapping[Arm, Tally],
    ) -> None:
        """Take in the ratings of targets and the results of experiments."""
        quality: dict[str, dict[str, float]] = {}
        for each in ratings:
            score = quality_score(each.count, each.total, each.squares)
            quality.setdefault(each.tenant, {})[each.target] = score
        shares: dict[str, dict[str, Sequence[float]]] = {}
        for tenant, active in policies:
            found = learned_shares(tenant, active, tallies)
            if found:
                shares.setdefault(tenant, {}).update(found)
        self._quality, self._shares = quality, shares


def learned_shares(
    tenant: str, active: ActivePolicy, tallies: Mapping[Arm, Tally]
) -> dict[str, Sequence[float]]:
    """Return the shares of a policy's experiments that learn, by name, in the order of their arms."""
    found: dict[str, Sequence[float]] = {}
    for rule in active.policy.rules:
        if rule.experiment is not None and rule.experiment.method == "thompson":
            keys = [(tenant, active.workspace_id, rule.experiment.name, arm) for arm in arm_names(rule)]
            sums = [tallies.get(key, Tally()) for key in keys]
            found[rule.experiment.name] = thompson_shares(sums, rule.experiment.exploration_floor)
    return found


def weight_shares(experiment: Experiment) -> tuple[float, ...]:
    """Return the shares that the arms' own weights give."""
    whole = sum(arm.weight for arm in experiment.arms)
    return tuple(round(arm.weight / whole, 6) for arm in experiment.arms)
