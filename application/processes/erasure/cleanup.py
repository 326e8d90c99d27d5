"""The daily destruction of what is over: an erasure with reason `ttl`, that legal holds are spared from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from application.ports import Clock, EventLog
from application.processes.erasure.ports import ErasableStore, Reach
from application.processes.erasure.starting import Start, start
from application.workflows.running import WorkflowRun
from domain.kernel.aggregate import stream_id
from domain.memory.policy import PolicyBook
from domain.memory.policy_events import MemoryPolicySet
from domain.memory.purge import Purge
from domain.memory.retention import ENTITY, Retention
from domain.memory.selection import Expiry, Selection

ACTOR = "system/memory-ttl-cleanup"
_IDS = UUID("0c1f5f0e-51f0-5b7b-9b6e-6a3f1b0d2c44")


@dataclass(frozen=True)
class CleanupPorts:
    """`memories` is the store whose items have a time to live; `run` carries out an erasure."""

    log: EventLog
    memories: ErasableStore
    run: Callable[[str, str], Awaitable[Purge]]
    clock: Clock


async def clean_up(run: WorkflowRun, ports: CleanupPorts) -> Mapping[str, int]:
    """Destroy what is over in a tenant; counts what was destroyed by store. Raises Unavailable."""
    purge_id = f"purge_{uuid5(_IDS, run.effect_id).hex}"
    purge = await ports.log.load(Purge, stream_id(run.tenant, Purge.KIND, purge_id))
    if purge.requested is None:
        retention = await ports.log.load(Retention, stream_id(run.tenant, Retention.KIND, ENTITY))
        at = ports.clock()
        expiry = expiry_of(await policies_of(ports.log, run.tenant), at)
        selection = Selection(expiry=expiry, spared=tuple(retention.active.values()))
        reach = Reach(
            tenant=run.tenant, purge_id=purge_id, selection=selection, upto=await ports.log.head(), at=at
        )
        found = await ports.memories.find(reach)
        if not (found.count or found.shared):
            return {"memories": 0}
        wish = Start(
            tenant=run.tenant,
            purge_id=purge_id,
            selection=selection,
            reason="ttl",
            origin="ttl",
            actor=ACTOR,
            at=at,
            command_id=run.step("purge"),
        )
        await start(ports.log, wish)
    done = await ports.run(run.tenant, purge_id)
    return dict(done.found())


async def policies_of(log: EventLog, tenant: str) -> PolicyBook:
    """Return a tenant's rules as they are now."""
    book = PolicyBook()
    async for envelope in log.read(types=[MemoryPolicySet.TYPE], tenant=tenant):
        if isinstance(envelope.event, MemoryPolicySet):
            book = book.set(envelope.event.category, envelope.event.rules)
    return book


def expiry_of(book: PolicyBook, at: datetime) -> Expiry:
    """Return when memories are over by a tenant's rules."""
    return Expiry(
        at=at,
        default_days=book.elsewhere().ttl_days,
        by_category={category: book.of(category).ttl_days for category in book.by_category},
    )
