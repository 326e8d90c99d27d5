"""The content of a workspace's model policy: rules by segment, their fallbacks and experiments.

These structs stand in events, so they carry no limits: a limit that changes must not make an old event
undecodable. `policy_check` holds the rules for new policies.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from domain.kernel.pii import STANDARD_TYPES, PiiType

CATCH_ALL = ("*", "default")

PiiMode = Literal["off", "redact", "placeholder", "pseudonym", "block"]
Strategy = Literal["order", "latency", "cost", "quality"]
Unit = Literal["session", "user", "key"]
Method = Literal["fixed", "thompson"]
OnBudgetExhausted = Literal["error", "best_effort"]


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate of an experiment, and its share relative to the other arms.

    `provider` is the rule's own when left off.
    """

    model: str
    provider: str | None = None
    weight: float = 1.0


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """Replaces a rule's first target by one of several arms, sticky by unit.

    `method` thompson lets results move the shares, never below `exploration_floor` an arm. `shadow` is a
    target (`provider/model`) that gets a copy of each request and whose answers nobody sees.
    """

    name: str
    arms: tuple[Arm, ...]
    unit: Unit = "session"
    method: Method = "fixed"
    exploration_floor: float = 0.05
    shadow: str | None = None


class PiiPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to personal data of some kinds in prompts (before a provider sees them) and in answers.

    `restore` puts pseudonyms that a prompt got back to their originals in the answer to the same request.
    """

    prompts: PiiMode = "off"
    answers: PiiMode = "off"
    entities: tuple[PiiType, ...] = tuple(sorted(STANDARD_TYPES))
    restore: bool = False

    @property
    def is_on(self) -> bool:
        """Whether anything is searched at all."""
        return (self.prompts, self.answers) != ("off", "off")


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Where requests of one segment go; segment `*` or `default` takes what no other rule matches.

    `fallback` names models of the rule's provider, or `provider/model`. `latency_budget_ms` counts to the
    first content of a stream and to completion otherwise; `attempt_timeout_ms` bounds each attempt up
    to there, `idle_timeout_ms` each silence of a stream after it. `pii` takes the place of the policy's own.
    """

    segment: str
    provider: str
    model: str
    fallback: tuple[str, ...] = ()
    latency_budget_ms: int | None = None
    attempt_timeout_ms: int | None = None
    idle_timeout_ms: int | None = None
    max_tokens: int | None = None
    experiment: Experiment | None = None
    pii: PiiPolicy | None = None


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What governs a workspace's requests.

    `fallback_strategy` orders a rule's fallbacks; its first target stays first. `record_content` allows
    prompt and answer text to be stored, sealed. `on_budget_exhausted` says what happens when the latency
    budget is gone: an error, or letting the last attempt run on. `pii` says what is done about personal data.
    """

    rules: tuple[Rule, ...] = ()
    fallback_strategy: Strategy = "order"
    auto_fallback_enabled: bool = True
    record_content: bool = False
    on_budget_exhausted: OnBudgetExhausted = "error"
    pii: PiiPolicy | None = None


class ActivePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a workspace's policy, with who set it and when."""

    workspace_id: str
    version: int
    set_by: str
    set_at: datetime
    policy: Policy

    @property
    def label(self) -> str:
        """Return `workspace@version`, the name by which a decision refers to it."""
        return f"{self.workspace_id}@{self.version}"
