"""What tenancy needs from the outside world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class SecretSource(Protocol):
    """The randomness of keys, repeatable for a repeated command.

    `seed` returns 32 bytes that nobody can guess without the installation's own secret, and the same 32 bytes
    for the same (purpose, tenant, command id): HMAC-SHA-256 of the three, each with its length before it.
    """

    def seed(self, purpose: str, tenant: str, command_id: str) -> bytes: ...


@dataclass(frozen=True)
class TenancyPorts:
    """What tenancy's handlers get beside the unit of work."""

    secrets: SecretSource
