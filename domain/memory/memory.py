"""What a memory is after its events: each carries it whole, so the newest one that does is the state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from domain.kernel.aggregate import stream_id
from domain.kernel.events import Envelope
from domain.kernel.personal import Erased
from domain.memory.events import KIND, MemoryDeleted, MemoryDetails, Remembered


class Memory(msgspec.Struct, frozen=True):
    """A memory that can be read, and the version of its stream."""

    state: Remembered
    content: str
    details: MemoryDetails
    version: int


def memory_stream(tenant: str, memory_id: str) -> str:
    """Return the name of a memory's stream."""
    return stream_id(tenant, KIND, memory_id)


def memory_of(envelopes: Iterable[Envelope[Any]]) -> Memory | None:
    """Fold a memory's stream; None when it never was, was deleted, or its key is gone."""
    newest: Remembered | None = None
    version = 0
    for envelope in envelopes:
        version = envelope.version
        if isinstance(envelope.event, Remembered):
            newest = envelope.event
        elif isinstance(envelope.event, MemoryDeleted):
            newest = None
    if newest is None or newest.content is None or isinstance(newest.content, Erased):
        return None
    if isinstance(newest.details, Erased):
        return None
    return Memory(newest, newest.content, newest.details or MemoryDetails(), version)


def record_subject(memory_id: str) -> str:
    """Return the data subject of a memory that names no person: itself."""
    return f"record:{memory_id}"
