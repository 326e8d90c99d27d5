"""Which arm of an experiment a request belongs to: the same unit, the same arm, on every process."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

from domain.orchestration.policy import Arm, Experiment


class Units(Protocol):
    """What an experiment can be sticky by."""

    @property
    def session(self) -> str | None: ...

    @property
    def user(self) -> str | None: ...

    @property
    def key_id(self) -> str: ...

    @property
    def request_id(self) -> str: ...


def assign(experiment: Experiment, units: Units, shares: Sequence[float] | None = None) -> Arm:
    """Return the arm of a request; `shares` replace the arms' own weights when given for every arm.

    A request without the experiment's unit is assigned by its own id. SHA-256 of name and unit gives a point
    in [0, 1), which falls into one arm's share of the line.
    """
    arms = experiment.arms
    weights = shares if shares is not None and len(shares) == len(arms) else [arm.weight for arm in arms]
    point = _point(experiment.name, _unit(experiment, units)) * sum(weights)
    for arm, weight in zip(arms, weights, strict=True):
        point -= weight
        if point < 0:
            return arm
    return max(zip(weights, range(len(arms)), arms, strict=True))[2]


def _unit(experiment: Experiment, units: Units) -> str:
    match experiment.unit:
        case "session":
            unit = units.session
        case "user":
            unit = units.user
        case _:
            unit = units.key_id
    return unit or units.request_id


def _point(name: str, unit: str) -> float:
    digest = hashlib.sha256(f"{name}\0{unit}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53
