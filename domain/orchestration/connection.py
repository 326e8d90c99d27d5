"""How a provider is reached at this moment, credential included; lives in memory only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from domain.orchestration.catalogue import Offer
from domain.orchestration.provider_spec import Dialect, ModelPrices, ModelSpec


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of a provider. Compare by identity: a changed provider is another object.

    `credential_id` tells credentials apart in records and health without saying them. `builtin` providers
    come from the environment, the others from events.
    """

    name: str
    dialect: Dialect
    base_url: str
    revision: int = 0
    models: tuple[ModelSpec, ...] = ()
    credential_id: str = ""
    api_key: str | None = None
    headers: Mapping[str, str] = {}
    drain_seconds: float = 0.0
    allow_probe: bool = False
    builtin: bool = False
    registered_at: datetime | None = None
    registered_by: str | None = None

    def __repr__(self) -> str:
        return f"Connection({self.name}, {self.base_url}, revision {self.revision})"

    @property
    def offer(self) -> Offer:
        """Return what the catalogue says of this provider."""
        return Offer(self.name, self.models)

    def prices(self, model: str) -> ModelPrices | None:
        """Return the tenant's own prices of a model, None when it gave none."""
        return next((spec.prices for spec in self.models if spec.name == model), None)
