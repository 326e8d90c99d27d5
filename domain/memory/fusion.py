"""Reciprocal rank fusion: joins rankings whose scores cannot be compared.

Cormack, Clarke and Buettcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning
methods", SIGIR 2009: the score of an item is the sum over rankings of 1 / (60 + rank), ranks from 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

K = 60
Ranking = Sequence[tuple[str, float]]


class Placed(msgspec.Struct, frozen=True):
    """Where one channel ranked an item, from 1, and with which score of its own."""

    rank: int
    score: float


class Fused(msgspec.Struct, frozen=True):
    """An item and its score: 1 when every channel that was asked ranked it first."""

    id: str
    score: float
    channels: Mapping[str, Placed]


def fuse(rankings: Mapping[str, Ranking]) -> list[Fused]:
    """Return all items of some rankings, best first; of equals the one with the smaller id."""
    places: dict[str, dict[str, Placed]] = {}
    for channel, ranking in rankings.items():
        for rank, (item, score) in enumerate(ranking, 1):
            places.setdefault(item, {})[channel] = Placed(rank, score)
    best = len(rankings) / (K + 1)
    found = [
        Fused(item, sum(1 / (K + placed.rank) for placed in channels.values()) / best, channels)
        for item, channels in places.items()
    ]
    return sorted(found, key=lambda each: (-each.score, each.id))


def faded(score: float, occurred_at: datetime, now: datetime, half_life_days: float) -> float:
    """Return a score that halves with every half-life since something occurred."""
    age_days = max(0.0, (now - occurred_at).total_seconds() / 86_400)
    return float(score * 0.5 ** (age_days / half_life_days))
