"""What happens to memory policies."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.kernel.events import Event
from domain.memory.policy import MemoryRules


class MemoryPolicySet(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The rules for a tenant's memories of one category were set as a whole; versions count from 1.

    Without a category they are the tenant's default, which fills what a category's own rules leave open.
    """

    TYPE: ClassVar[str] = "memory.policy_set"

    version: int
    set_at: datetime
    category: str | None = None
    rules: MemoryRules


EVENTS: tuple[type[Event], ...] = (MemoryPolicySet,)
