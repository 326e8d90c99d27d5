"""Every store that an erasure goes through; a new pillar adds its own here."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from application.ports import EventLog
from application.processes.erasure.ports import ErasableStore, Reach
from domain.memory.erasure_events import MemoriesErased
from infrastructure.erasure.answers import AnswerStore
from infrastructure.erasure.files import TableFiles
from infrastructure.erasure.hosted import HostedStore
from infrastructure.erasure.keys import PersonKeys
from infrastructure.erasure.memories import MemoryStore, VectorStore
from infrastructure.erasure.pseudonyms import PseudonymStore
from infrastructure.erasure.queue import QueueStore
from infrastructure.erasure.requests import RequestStore
from infrastructure.erasure.rows import Rows
from infrastructure.erasure.write_ahead_log import WriteAheadLog
from infrastructure.idempotency import AnswerSeal
from infrastructure.memory.mirroring import hosted_memory
from infrastructure.runtime import Runtime
from infrastructure.settings import Settings


def all_stores(
    settings: Settings, runtime: Runtime, keys: PersonKeys, redis: Redis
) -> Sequence[ErasableStore]:
    """Return every store, in the order of their steps; a new pillar adds its own before the last two."""
    where = runtime.where
    rows = Rows(runtime.system_pool)
    files = TableFiles(where.owner_dsn, runtime.engine(where.owner_dsn, size=1))
    memories = MemoryStore(rows, runtime.log, keys, files)
    requests = RequestStore(rows, runtime.log, runtime.reader, keys, files)
    seal = AnswerSeal(runtime.kms.derive("idempotent-answers"))

    async def erased(reach: Reach) -> set[str]:
        return await memories.ids(reach) | await erased_ids(runtime.log, reach)

    async def deleted(reach: Reach) -> set[str]:
        return await memories.deleted_ids(reach)

    hosted = hosted_memory(settings)
    return (
        *([HostedStore(rows, hosted, erased)] if hosted else ()),
        AnswerStore(rows, seal, files, [erased, deleted, requests.ids]),
        memories,
        VectorStore(rows, files),
        requests,
        PseudonymStore(rows, runtime.log, runtime.reader, keys),
        QueueStore(redis),
        WriteAheadLog(where.admin_dsn or where.owner_dsn),
    )


async def erased_ids(log: EventLog, reach: Reach) -> set[str]:
    """Return the memories that an erasure has taken so far."""
    found: set[str] = set()
    async for envelope in log.read_stream(f"{reach.tenant}/erasure/{reach.purge_id}"):
        if isinstance(envelope.event, MemoriesErased):
            found.update(envelope.event.memory_ids)
    return found
