"""A hosted memory service that holds a copy of memories, and what keeps the copy like the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from application.ports import EventLog
from domain.memory.memory import Memory, memory_of, memory_stream


class HostedCopy(msgspec.Struct, frozen=True, kw_only=True):
    """A memory as the hosted service gets it: the person is a pseudonym, the content is scrubbed."""

    tenant: str
    memory_id: str
    subject: str
    content: str
    category: str
    occurred_at: int
    agent_id: str | None = None
    session_id: str | None = None
    metadata: Mapping[str, Any] = {}


class HostedMemory(Protocol):
    """The hosted service; each call may be repeated. All raise Unavailable when it does not answer."""

    async def put(self, copy: HostedCopy) -> None:
        """Keep this copy, in place of an earlier one of the same memory."""
        ...

    async def remove(self, tenant: str, subject: str, memory_ids: Sequence[str]) -> int:
        """Delete copies and return how many there were."""
        ...

    async def remains(self, tenant: str, subject: str, memory_ids: Sequence[str]) -> int:
        """Return how many of these memories still have a copy there."""
        ...


async def mirror(log: EventLog, hosted: HostedMemory, tenant: str, memory_id: str, subject: str) -> None:
    """Make the hosted copy of one memory like the log has it now; whatever the order, the last call is right.

    A memory that is gone, or that its policy confines, has no copy. What goes while the copy is on its way is
    seen when the log is read once more behind it.
    """
    while True:
        memory = await _memory(log, tenant, memory_id)
        if memory is None or memory.state.confined:
            await hosted.remove(tenant, subject, [memory_id])
            return
        await _put(hosted, tenant, memory)
        now = await _memory(log, tenant, memory_id)
        if now is not None and now.version == memory.version:
            return


async def _memory(log: EventLog, tenant: str, memory_id: str) -> Memory | None:
    return memory_of([envelope async for envelope in log.read_stream(memory_stream(tenant, memory_id))])


async def _put(hosted: HostedMemory, tenant: str, memory: Memory) -> None:
    await hosted.put(
        HostedCopy(
            tenant=tenant,
            memory_id=memory.state.memory_id,
            subject=memory.state.subject,
            content=memory.content,
            category=memory.state.category,
            occurred_at=int(memory.state.occurred_at.timestamp()),
            agent_id=memory.details.agent_id,
            session_id=memory.details.session_id,
            metadata=memory.details.metadata,
        )
    )
