"""The rules of one category of a tenant's memories and their versions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar

from domain.kernel.aggregate import Aggregate
from domain.kernel.events import Event
from domain.memory.policy import MemoryRules
from domain.memory.policy_check import check_rules
from domain.memory.policy_events import MemoryPolicySet

DEFAULT_ENTITY = "*"
"""The entity id of the rules that hold where a category has none of its own."""


class MemoryPolicy(Aggregate):
    """The consistency boundary of a category's rules; its entity id is the category, or DEFAULT_ENTITY."""

    KIND: ClassVar[str] = "memory-policy"

    number: int
    rules: MemoryRules | None
    set_at: datetime | None

    def initialise(self) -> None:
        """Start before the first version."""
        self.number = 0
        self.rules = None
        self.set_at = None

    def apply(self, event: Event) -> None:
        """Fold one event."""
        if isinstance(event, MemoryPolicySet):
            self.number, self.rules, self.set_at = event.version, event.rules, event.set_at

    def set(
        self, category: str | None, rules: MemoryRules, at: datetime, known_entities: Collection[str]
    ) -> None:
        """Make the next version. Raises InvalidInput that names every unusable field."""
        check_rules(rules, known_entities)
        event = MemoryPolicySet(category=category, version=self.number + 1, set_at=at, rules=rules)
        self.record(event, at)
