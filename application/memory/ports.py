"""What memory's handlers get beside the unit of work."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from application.memory.pii import Scrubbing
from domain.memory.policy import PolicyBook


class Duplicates(Protocol):
    """Finds memories that say what a text says, among those of one person and category."""

    async def __call__(
        self, tenant: str, subject: str, category: str, texts: Sequence[str]
    ) -> Mapping[int, str]:
        """Return the id of a memory by the number of each text that has one."""
        ...


def _free(_tenant: str, _subject: str, _category: str, _at: datetime) -> None:
    """Nothing is being erased."""


@dataclass(frozen=True)
class MemoryPorts:
    """`require_free(tenant, subject, category, at)` raises Conflict for what is being erased now.

    `policies(tenant)` is in memory, as new as the last control event; `entities` are the kinds of
    personal data that the detector knows; `reference(tenant, id)` is the pseudonym of a person."""

    policies: Callable[[str], PolicyBook]
    scrubbing: Scrubbing
    entities: Collection[str]
    reference: Callable[[str, str], str]
    duplicates: Duplicates
    require_free: Callable[[str, str, str, datetime], None] = _free
