"""What experiments showed: estimates with their intervals, and the shares that results lead to.

All intervals are at 95 %. Sources: Wilson, JASA 22 (1927) for shares; the normal approximation for means;
Thompson, Biometrika 25 (1933) for shares by the probability of being best.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, lgamma, log, sqrt

import msgspec

from domain.orchestration.catalogue import Target
from domain.orchestration.policy import Rule

Z = 1.959964  # the 97.5 % quantile of the normal distribution
GRID = 400


class Estimate(msgspec.Struct, frozen=True):
    """An estimate of `count` observations and where the truth lies at 95 %; None without any.

    `low` and `high` are None where so few observations say nothing of the spread.
    """

    count: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the requests assigned to one arm, whoever answered them in the end.

    `*_squares` are sums of squares. Feedback is of rated requests, -1 to 1; cost is of priced requests.
    """

    requests: int = 0
    succeeded: int = 0
    fell_back: int = 0
    latency_ms: int = 0
    latency_squares: int = 0
    priced: int = 0
    cost_micros: int = 0
    cost_squares: int = 0
    rated: int = 0
    feedback: float = 0.0
    feedback_squares: float = 0.0


def arm_names(rule: Rule) -> tuple[str, ...]:
    """Return the arms of a rule's experiment as decisions name them, `provider/model`, in their order."""
    arms = rule.experiment.arms if rule.experiment else ()
    return tuple(str(Target(arm.provider or rule.provider, arm.model)) for arm in arms)


def share_estimate(successes: int, count: int) -> Estimate:
    """Return a share with Wilson's interval, which holds for few observations and for shares near 0 and 1."""
    if count == 0:
        return Estimate(0)
    share, spread = successes / count, Z * Z / count
    middle = (share + spread / 2) / (1 + spread)
    half = Z * sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Estimate(count, round(share, 4), round(low, 4), round(high, 4))


def mean_estimate(count: int, total: float, squares: float) -> Estimate:
    """Return a mean with its normal interval, from sums of values and of their squares."""
    if count == 0:
        return Estimate(0)
    mean = total / count
    if count == 1:
        return Estimate(1, round(mean, 4))
    variance = max(0.0, squares - count * mean * mean) / (count - 1)
    half = Z * sqrt(variance / count)
    return Estimate(count, round(mean, 4), round(mean - half, 4), round(mean + half, 4))


def quality_score(count: int, total: float, squares: float) -> float:
    """Return the lower bound of a mean feedback from -1 to 1, pulled to 0 where there is little of it.

    One neutral opinion with the widest spread is added as a prior, so that a single praise proves nothing.
    """
    found = mean_estimate(count + 2, total, squares + 2.0)
    return max(-1.0, min(1.0, found.low or 0.0)) if count else 0.0


def thompson_shares(tallies: Sequence[Tally], floor: float) -> tuple[float, ...]:
    """Return each arm's probability of being the best, mixed so that none gets less than `floor`.

    A rated request counts by its feedback, a failed one as 0; where nothing was rated at all, success counts.
    Beta posteriors under a uniform prior, integrated on a grid: no randomness, the same on every process.
    """
    if not tallies:
        return ()
    rated = any(tally.rated for tally in tallies)
    densities = [_beta(*_evidence(tally, rated=rated)) for tally in tallies]
    below = [_cumulated(density) for density in densities]
    best = [sum(_wins(densities, below, arm)) for arm in range(len(tallies))]
    whole, free = sum(best), 1.0 - floor * len(tallies)
    return tuple(round(floor + free * chance / whole, 6) for chance in best)


def _evidence(tally: Tally, *, rated: bool) -> tuple[float, float]:
    """Return the parameters of an arm's Beta posterior."""
    failed = tally.requests - tally.succeeded
    if not rated:
        return 1.0 + tally.succeeded, 1.0 + failed
    good = (tally.feedback + tally.rated) / 2  # -1 to 1 becomes 0 to 1
    return 1.0 + max(0.0, good), 1.0 + max(0.0, tally.rated - good) + failed


def _beta(a: float, b: float) -> list[float]:
    """Return the density of Beta(a, b) at the middles of the grid's cells, as shares of the whole."""
    norm = lgamma(a + b) - lgamma(a) - lgamma(b)
    points = ((cell + 0.5) / GRID for cell in range(GRID))
    density = [exp(norm + (a - 1) * log(x) + (b - 1) * log(1 - x)) for x in points]
    whole = sum(density)
    if whole <= 0.0:  # narrower than a cell
        density = [0.0] * GRID
        density[min(GRID - 1, int(a / (a + b) * GRID))] = whole = 1.0
    return [value / whole for value in density]


def _cumulated(density: Sequence[float]) -> list[float]:
    """Return the chance of lying below each cell's middle."""
    below, total = [], 0.0
    for value in density:
        below.append(total + value / 2)
        total += value
    return below


def _wins(densities: Sequence[Sequence[float]], below: Sequence[Sequence[float]], arm: int) -> list[float]:
    """Return, cell by cell, the chance that this arm is there and all others lie below."""
    chances = list(densities[arm])
    for other, cumulated in enumerate(below):
        if other != arm:
            chances = [chance * under for chance, under in zip(chances, cumulated, strict=True)]
    return chances
