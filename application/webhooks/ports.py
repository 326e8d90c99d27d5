"""What webhooks need from the outside world and from other contexts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from domain.webhooks.delivery import Answer


class SecretSource(Protocol):
    """Randomness that is the same when a command is repeated."""

    def seed(self, purpose: str, tenant: str, command_id: str) -> bytes:
        """Return 32 bytes."""
        ...


class NormaliseUrl(Protocol):
    """Checks an address against the egress rules; raises InvalidInput at `/url`."""

    def __call__(self, url: str) -> str: ...


class Sender(Protocol):
    """Posts to an endpoint of a tenant, within the egress rules; never raises for what the endpoint does."""

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer: ...


@dataclass(frozen=True)
class WebhookPorts:
    """What webhooks' handlers get beside the unit of work; `offered` are the names of events."""

    secrets: SecretSource
    normalise_url: NormaliseUrl
    offered: Collection[str]
