"""Memories and their vectors: the read models, and what stays in the log sealed anew."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from application.ports import AppendRequest, EventLog, NewEvent
from application.processes.erasure.ports import Found, KeyScope, Reach
from application.processes.erasure.process import ACTOR
from domain.kernel.aggregate import stream_id
from domain.kernel.errors import VersionConflict
from domain.kernel.events import Envelope
from domain.memory.erasure_events import MemoriesErased
from domain.memory.events import KIND, MemoryDeleted, MemoryRekeyed, Remembered
from infrastructure.erasure.conditions import Columns, Parameters, condition, month_of, month_sql
from infrastructure.erasure.files import TableFiles
from infrastructure.erasure.keys import PersonKeys
from infrastructure.erasure.rows import Rows
from projections.memory.project import MEMORIES
from projections.memory.vectors import MEMORY_VECTORS

CHUNK, AT_ONCE = 500, 50
COLUMNS = Columns(moment="occurred_at", ttl_days="ttl_days")
_OF_DELETED = f"""(
    SELECT stream_id, d->>'memory_id' AS memory_id, d->>'subject' AS subject, d->>'category' AS category,
           (d->>'occurred_at')::timestamptz AS occurred_at
    FROM (SELECT stream_id, convert_from(data, 'UTF8')::jsonb AS d FROM events
          WHERE type = '{MemoryDeleted.TYPE}' AND tenant = %(tenant)s) AS parsed) AS deleted"""
_DELETED = f"""
SELECT DISTINCT unnest(e.key_ids) FROM {_OF_DELETED}
JOIN events e ON e.stream_id = deleted.stream_id WHERE {{condition}}
"""
_DELETED_IDS = f"SELECT memory_id FROM {_OF_DELETED} WHERE {{condition}}"


class MemoryStore:
    """Implements ErasableStore for memories with their full text; vectors go with the same events."""

    name = "memories"

    def __init__(self, rows: Rows, log: EventLog, keys: PersonKeys, files: TableFiles) -> None:
        self._rows = rows
        self._log = log
        self._keys = keys
        self._files = files

    async def find(self, reach: Reach) -> Found:
        """Count memories, and name the keys of the month in which the selection ends."""
        where, values = _reached(reach)
        count = await self._rows.number(f"SELECT count(*) FROM memories WHERE {where}", values)
        return Found(count, frozenset(await self._shared(reach, where, values)))

    async def ids(self, reach: Reach) -> set[str]:
        """Return the memories that are reached and still there."""
        where, values = _reached(reach)
        rows = await self._rows.all(f"SELECT memory_id FROM memories WHERE {where}", values)
        return {memory_id for (memory_id,) in rows}

    async def deleted_ids(self, reach: Reach) -> set[str]:
        """Return the memories that were deleted before and are reached all the same: answers quote them."""
        deleted, values = condition(msgspec.structs.replace(reach.selection, expiry=None), COLUMNS)
        rows = await self._rows.all(
            _DELETED_IDS.format(condition=deleted), {**values, "tenant": reach.tenant}
        )
        return {memory_id for (memory_id,) in rows}

    async def keep(self, reach: Reach, kids: Sequence[str]) -> int:
        """Seal anew what stays of the months whose keys go."""
        kept = 0
        for scope in await self._keys.scopes(kids):
            staying = await self._staying(reach, scope)
            for start in range(0, len(staying), AT_ONCE):
                chunk = staying[start : start + AT_ONCE]
                kept += sum(await asyncio.gather(*(self._rekey(reach, each) for each in chunk)))
        return kept

    async def erase(self, reach: Reach) -> int:
        """Tell the read models to remove the memories."""
        ids = sorted(await self.ids(reach))
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            event = MemoriesErased(purge_id=reach.purge_id, memory_ids=tuple(chunk))
            stream = stream_id(reach.tenant, "erasure", reach.purge_id)
            await self._append(reach, f"erased.{chunk[0]}.{chunk[-1]}", NewEvent(stream, event))
        return len(ids)

    async def rewrite(self, reach: Reach) -> str:
        """Write the tenant's partition of the table and its full-text index anew."""
        await self._files.require_one_copy([MEMORIES.name])
        return await self._files.rewrite("memories", reach.tenant)

    async def verify(self, reach: Reach) -> int:
        """Count memories that are still there."""
        where, values = _reached(reach)
        return await self._rows.number(f"SELECT count(*) FROM memories WHERE {where}", values)

    async def _shared(self, reach: Reach, where: str, values: Parameters) -> list[KeyScope]:
        """Return scopes of what is reached, and of what was deleted, for its text still stands in the log."""
        selection, month = reach.selection, month_sql("occurred_at")
        if selection.before is None and selection.expiry is None:
            return []
        deleted, parameters = condition(msgspec.structs.replace(selection, expiry=None), COLUMNS)
        rows = await self._rows.all(
            _DELETED.format(condition=deleted), {**parameters, "tenant": reach.tenant}
        )
        scopes = await self._keys.scopes([kid for (kid,) in rows])
        if selection.before is not None:
            values = {**values, "month": month_of(selection.before)}
            where += f" AND {month} = %(month)s"
        query = f"SELECT DISTINCT subject, category, {month} FROM memories WHERE {where}"
        return scopes + [KeyScope(*row) for row in await self._rows.all(query, values)]

    async def _staying(self, reach: Reach, scope: KeyScope) -> list[str]:
        """Return the memories of a key that are not reached."""
        reached, values = condition(reach.selection, COLUMNS)
        values |= {"tenant": reach.tenant, "upto": reach.upto, "of": scope.subject, "kind": scope.category}
        values["month"] = scope.month
        rows = await self._rows.all(
            "SELECT memory_id FROM memories WHERE tenant = %(tenant)s AND subject = %(of)s "
            f"AND category = %(kind)s AND {month_sql('occurred_at')} = %(month)s AND position <= %(upto)s "
            f"AND ({reached}) IS NOT TRUE ORDER BY memory_id",
            values,
        )
        return [memory_id for (memory_id,) in rows]

    async def _rekey(self, reach: Reach, memory_id: str) -> int:
        """Append the memory's present state again; what somebody changed meanwhile has a new key already.

        Counts what a process that died had appended for the same round.
        """
        stream, step = stream_id(reach.tenant, KIND, memory_id), f"kept.{memory_id}"
        newest = await self._newest(stream)
        if newest is None or newest.position > reach.upto:
            return int(newest is not None and newest.command_id == reach.command(step))
        try:
            await self._append(reach, step, NewEvent(stream, _sealed_anew(newest), newest.version))
        except VersionConflict:
            return await self._rekey(reach, memory_id)
        return 1

    async def _newest(self, stream: str) -> Envelope[Remembered] | None:
        newest = None
        async for envelope in self._log.read_stream(stream):
            if isinstance(envelope.event, Remembered):
                newest = envelope
        return newest

    async def _append(self, reach: Reach, step: str, *events: NewEvent) -> None:
        await self._log.append(
            AppendRequest(
                tenant=reach.tenant,
                command_id=reach.command(step),
                events=events,
                correlation=reach.purge_id,
                actor=ACTOR,
            )
        )


class VectorStore:
    """Implements ErasableStore for the vectors of memories, which can tell what was said."""

    name = "vectors"

    def __init__(self, rows: Rows, files: TableFiles) -> None:
        self._rows = rows
        self._files = files

    async def find(self, reach: Reach) -> Found:
        """Count the vectors of memories that are reached."""
        where, values = _reached(reach)
        ids = f"SELECT memory_id FROM memories WHERE {where}"
        query = f"SELECT count(*) FROM memory_vectors WHERE tenant = %(tenant)s AND memory_id IN ({ids})"
        return Found(await self._rows.number(query, values))

    async def keep(self, reach: Reach, kids: Sequence[str]) -> int:
        """Vectors are sealed by no key."""
        return 0

    async def erase(self, reach: Reach) -> int:
        """Count what goes with the memories' own events."""
        return await self.verify(reach)

    async def rewrite(self, reach: Reach) -> str:
        """Write the tenant's partition of the table and its graph of neighbours anew."""
        await self._files.require_one_copy([MEMORY_VECTORS.name])
        return await self._files.rewrite("memory_vectors", reach.tenant)

    async def verify(self, reach: Reach) -> int:
        """Count vectors whose memory is gone."""
        return await self._rows.number(
            "SELECT count(*) FROM memory_vectors v WHERE tenant = %s AND NOT EXISTS "
            "(SELECT FROM memories m WHERE m.tenant = v.tenant AND m.memory_id = v.memory_id)",
            [reach.tenant],
        )


def _reached(reach: Reach) -> tuple[str, Parameters]:
    """Return the condition on memories that a round reaches: all that were added before the erasure began."""
    reached, values = condition(reach.selection, COLUMNS)
    values |= {"tenant": reach.tenant, "upto": reach.upto, "at": reach.at}
    return f"tenant = %(tenant)s AND (position <= %(upto)s OR added_at <= %(at)s) AND {reached}", values


def _sealed_anew(newest: Envelope[Remembered]) -> MemoryRekeyed:
    event = newest.event
    fields: dict[str, Any] = {name: getattr(event, name) for name in Remembered.__struct_fields__}
    return MemoryRekeyed(**fields, original=getattr(event, "original", None) or newest.position)
