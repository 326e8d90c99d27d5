"""What orchestration's commands answer."""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.orchestration.events import ProviderRegistered
from domain.orchestration.policy import OnBudgetExhausted, PiiPolicy, Rule, Strategy
from domain.orchestration.provider_spec import Dialect, ModelSpec


class PolicyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The policy as it is now; `warnings` tell what in it cannot work yet."""

    workspace_id: str
    version: int
    set_by: str
    set_at: datetime
    rules: tuple[Rule, ...]
    fallback_strategy: Strategy
    auto_fallback_enabled: bool
    record_content: bool
    on_budget_exhausted: OnBudgetExhausted
    pii: PiiPolicy | None = None
    warnings: tuple[str, ...] = ()


class ProviderAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A custom provider without its secrets: only whether a key is set, and the names of its headers."""

    name: str
    dialect: Dialect
    base_url: str
    models: tuple[ModelSpec, ...]
    api_key_set: bool
    header_names: tuple[str, ...]
    drain_seconds: float
    allow_probe: bool
    revision: int
    registered_at: datetime
    builtin: bool = False

    @classmethod
    def of(cls, event: ProviderRegistered) -> ProviderAnswer:
        """Return what may be shown of a registration."""
        return cls(
            name=event.name,
            dialect=event.dialect,
            base_url=event.base_url,
            models=event.models,
            api_key_set=event.api_key is not None,
            header_names=event.header_names,
            drain_seconds=event.drain_seconds,
            allow_probe=event.allow_probe,
            revision=event.revision,
            registered_at=event.registered_at,
        )


class ProviderGone(msgspec.Struct, frozen=True, kw_only=True):
    """The name of a provider that was removed."""

    name: str
