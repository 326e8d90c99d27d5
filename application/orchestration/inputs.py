"""Policies and providers as clients send them: unknown fields are refused, limits are documented."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from domain.orchestration import policy_check as policy_limits
from domain.orchestration import provider_check as provider_limits
from domain.orchestration.policy import Arm, Experiment, PiiPolicy, Rule
from domain.orchestration.provider_spec import ModelPrices, ModelSpec

Name = Annotated[str, Meta(min_length=1, max_length=policy_limits.LONGEST_NAME)]
Milliseconds = Annotated[int, Meta(ge=1, le=policy_limits.LONGEST_BUDGET_MS)]
Tokens = Annotated[int, Meta(ge=1, le=policy_limits.MOST_TOKENS)]
Usd = Annotated[
    Decimal,
    Meta(
        description="US dollars per million tokens, a decimal string or number of at most 9 decimals",
        examples=["0.15"],
    ),
]


class ArmInput(Arm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One candidate of an experiment; `provider` is the rule's own when left off."""

    model: Name
    provider: Name | None = None
    weight: Annotated[float, Meta(ge=0, le=policy_limits.LARGEST_WEIGHT)] = 1.0


class ExperimentInput(Experiment, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Replaces a rule's first target by one of several weighted arms, sticky by unit."""

    name: Name
    arms: Annotated[tuple[ArmInput, ...], Meta(min_length=2, max_length=policy_limits.MOST_ARMS)]
    exploration_floor: Annotated[float, Meta(ge=0, le=0.5)] = 0.05
    shadow: Name | None = None


class PiiInput(PiiPolicy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done about personal data of these kinds in prompts and in answers.

    `restore` puts the pseudonyms of a prompt back in the answer to it.
    """


class RuleInput(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where requests of one segment go, and what is tried when that fails."""

    segment: Name
    provider: Name
    model: Name
    fallback: Annotated[tuple[Name, ...], Meta(max_length=policy_limits.MOST_FALLBACKS)] = ()
    latency_budget_ms: Milliseconds | None = None
    attempt_timeout_ms: Milliseconds | None = None
    idle_timeout_ms: Milliseconds | None = None
    max_tokens: Tokens | None = None
    experiment: ExperimentInput | None = None
    pii: PiiInput | None = None


class PricesInput(ModelPrices, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices of a model; cached input and cache writes cost as input when not given."""

    input_per_mtok_usd: Usd
    output_per_mtok_usd: Usd
    cached_input_per_mtok_usd: Usd | None = None
    cache_write_per_mtok_usd: Usd | None = None


class ModelInput(ModelSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of a provider, with its prices and limits where known."""

    name: Annotated[str, Meta(min_length=1, max_length=provider_limits.LONGEST_MODEL_NAME)]
    prices: PricesInput | None = None
    context_window: Annotated[int, Meta(ge=1, le=provider_limits.MOST_TOKENS)] | None = None
    max_output_tokens: Annotated[int, Meta(ge=1, le=provider_limits.MOST_TOKENS)] | None = None
