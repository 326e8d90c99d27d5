"""Memory policies in memory: what is written obeys them without a look at the database."""

from __future__ import annotations

from typing import Any

from domain.kernel.events import Envelope
from domain.memory.policy import PolicyBook
from domain.memory.policy_events import MemoryPolicySet

TYPES: tuple[str, ...] = (MemoryPolicySet.TYPE,)


class MemoryPolicies:
    """Folds policy events; answers a tenant's rules."""

    def __init__(self) -> None:
        self._books: dict[str, PolicyBook] = {}

    def apply(self, envelope: Envelope[Any]) -> None:
        """Fold one event; events of other types change nothing."""
        event = envelope.event
        if isinstance(event, MemoryPolicySet):
            self._books[envelope.tenant] = self.book(envelope.tenant).set(event.category, event.rules)

    def book(self, tenant: str) -> PolicyBook:
        """Return the rules of a tenant, empty when none were ever set."""
        return self._books.get(tenant, PolicyBook())
