"""What memory's handlers get beside the unit of work."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class MemoryPorts:
    """`policies(tenant)` is in memory, as new as the last control event; `entities` are the kinds of
    personal data that the detector knows; `reference(tenant, id)` is the pseudonym of a person."""

    policies: Callable[[str], PolicyBook]
    scrubbing: Scrubbing
    entities: Collection[str]
    reference: Callable[[str, str], str]
    duplicates: Duplicates
