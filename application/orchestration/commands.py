"""What a client may ask of orchestration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from application.bus import Command
from application.orchestration.inputs import ModelInput, PiiInput, RuleInput
from domain.kernel.names import DEFAULT_WORKSPACE, WORKSPACE_ID
from domain.orchestration import provider_check as limits
from domain.orchestration.policy import OnBudgetExhausted, Strategy
from domain.orchestration.policy_check import MOST_RULES
from domain.orchestration.provider_spec import Dialect

HeaderName = Annotated[str, Meta(min_length=1, max_length=limits.LONGEST_HEADER_NAME)]
HeaderValue = Annotated[str, Meta(max_length=limits.LONGEST_HEADER)]
ApiKeyText = Annotated[str, Meta(max_length=limits.LONGEST_API_KEY)]
Headers = Annotated[Mapping[HeaderName, HeaderValue], Meta(max_length=limits.MOST_HEADERS)]


class SetModelPolicy(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set a workspace's policy as a whole (roles admin, operator); answers PolicyAnswer with its version.

    Setting the same content again makes a new version. No rules: everything goes to the default target.
    """

    workspace_id: Annotated[str, Meta(pattern=WORKSPACE_ID)] = DEFAULT_WORKSPACE
    rules: Annotated[tuple[RuleInput, ...], Meta(max_length=MOST_RULES)]
    fallback_strategy: Strategy = "order"
    auto_fallback_enabled: bool = True
    record_content: bool = False
    on_budget_exhausted: OnBudgetExhausted = "error"
    pii: PiiInput | None = None


class RegisterProvider(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Add a provider, or replace the one of this name as a whole (roles admin, operator).

    Answers ProviderAnswer. No `models` means that any model name is passed on to it. `api_key` and `headers`
    are write-only: left off, a replaced provider keeps its own as long as its address stays the same; an
    empty string or object removes them. `drain_seconds` is how long an answer is read on after its client
    has left; `allow_probe` lets health checks make calls that may be billed.
    """

    name: Annotated[str, Meta(pattern=limits.PROVIDER_NAME)]
    dialect: Dialect
    base_url: Annotated[str, Meta(min_length=1, max_length=2048)]
    api_key: ApiKeyText | UnsetType | None = UNSET
    models: Annotated[tuple[ModelInput, ...], Meta(max_length=limits.MOST_MODELS)] = ()
    headers: Headers | UnsetType | None = UNSET
    drain_seconds: Annotated[float, Meta(ge=0, le=limits.LONGEST_DRAIN_S)] = 0.0
    allow_probe: bool = False

    def __repr__(self) -> str:
        return f"RegisterProvider({self.name}, {self.dialect}, {self.base_url})"


class RemoveProvider(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take a custom provider out of use and have its credential destroyed (roles admin, operator).

    Answers the removed name; NotFound when there is none, Conflict for a built-in one.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
