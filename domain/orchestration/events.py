"""What happens to model policies and providers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from domain.kernel.events import Event
from domain.kernel.personal import Erased, Personal
from domain.orchestration.policy import Policy
from domain.orchestration.provider_spec import Dialect, ModelSpec


class ModelPolicySet(Event, frozen=True, kw_only=True):
    """A workspace's policy got a new version; versions count from 1, the same content again counts too."""

    TYPE: ClassVar[str] = "orchestration.model_policy_set"

    workspace_id: str
    version: int
    set_at: datetime
    policy: Policy


class ProviderRegistered(Event, frozen=True, kw_only=True):
    """A custom provider was added, or replaced as a whole.

    `credential_id` is the subject under which its key and headers are sealed; None when there are none.
    Credentials in `retired` are no longer used: their data keys are to be destroyed.
    """

    TYPE: ClassVar[str] = "orchestration.provider_registered"

    name: str
    revision: int
    registered_at: datetime
    dialect: Dialect
    base_url: str
    models: tuple[ModelSpec, ...] = ()
    header_names: tuple[str, ...] = ()
    drain_seconds: float = 0.0
    allow_probe: bool = False
    credential_id: str | None = None
    retired: tuple[str, ...] = ()
    api_key: Annotated[str | Erased | None, Personal(subject="credential_id", category="=credential")] = None
    headers: Annotated[
        tuple[tuple[str, str], ...] | Erased | None,
        Personal(subject="credential_id", category="=credential"),
    ] = None

    def __repr__(self) -> str:
        return f"ProviderRegistered({self.name}, revision {self.revision})"


class ProviderRemoved(Event, frozen=True, kw_only=True):
    """A custom provider is gone; the data keys of its `retired` credentials are to be destroyed."""

    TYPE: ClassVar[str] = "orchestration.provider_removed"

    name: str
    retired: tuple[str, ...] = ()


EVENTS: tuple[type[Event], ...] = (ModelPolicySet, ProviderRegistered, ProviderRemoved)
