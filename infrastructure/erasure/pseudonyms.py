"""Originals of pseudonyms in requests and scrubbed texts; those of memories go with their memories.

They stand in the log alone, so destroying keys is all it takes; what shares a key and stays is sealed anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from application.ports import AppendRequest, EventLog, NewEvent
from application.processes.erasure.ports import Found, KeyScope, Reach
from application.processes.erasure.process import ACTOR
from domain.kernel.aggregate import stream_id
from domain.memory.pseudonym_events import PseudonymsErased, PseudonymsSealed
from infrastructure.erasure.conditions import Columns, Parameters, condition, month_of, month_sql
from infrastructure.erasure.keys import PersonKeys
from infrastructure.erasure.rows import Rows
from infrastructure.event_store.codec import COLUMNS as LOG_COLUMNS
from infrastructure.event_store.codec import StoredRow
from infrastructure.event_store.reader import LogReader

CHUNK = 500
COLUMNS = Columns(moment="moment")
_FROM = "FROM pseudonyms WHERE tenant = %(tenant)s AND memory_id IS NULL AND NOT erased"
_AT = f"SELECT {LOG_COLUMNS} FROM events WHERE position = ANY(%s)"
_MONTH = month_sql("moment")


class PseudonymStore:
    """Implements ErasableStore for sealed originals; an item is an event, which seals those of one text."""

    name = "pseudonyms"

    def __init__(self, rows: Rows, log: EventLog, reader: LogReader, keys: PersonKeys) -> None:
        self._rows = rows
        self._log = log
        self._reader = reader
        self._keys = keys

    async def find(self, reach: Reach) -> Found:
        """Count what is sealed, and name the keys of the month in which the selection ends."""
        count, before = len(await self._positions(reach)), reach.selection.before
        if before is None:
            return Found(count)
        where, values = _reached(reach)
        rows = await self._rows.all(
            f"SELECT DISTINCT subject, category, {_MONTH} {_FROM} AND {where} AND {_MONTH} = %(month)s",
            {**values, "month": month_of(before)},
        )
        return Found(count, frozenset(KeyScope(*row) for row in rows))

    async def keep(self, reach: Reach, kids: Sequence[str]) -> int:
        """Seal anew what stays of the months whose keys go."""
        kept = 0
        for scope in await self._keys.scopes(kids):
            staying = await self._staying(reach, scope)
            for start in range(0, len(staying), CHUNK):
                kept += await self._seal_anew(reach, staying[start : start + CHUNK])
        return kept

    async def erase(self, reach: Reach) -> int:
        """Tell the read model what opens no more."""
        positions = await self._positions(reach)
        for start in range(0, len(positions), CHUNK):
            chunk = tuple(positions[start : start + CHUNK])
            event = PseudonymsErased(purge_id=reach.purge_id, positions=chunk)
            stream = stream_id(reach.tenant, "erasure", reach.purge_id)
            await self._append(reach, f"originals.{chunk[0]}.{chunk[-1]}", [NewEvent(stream, event)])
        return len(positions)

    async def rewrite(self, reach: Reach) -> str:
        """No file but the log's has originals."""
        return "sealed in the log alone; their keys are destroyed"

    async def verify(self, reach: Reach) -> int:
        """Count what is not marked, and what a reader of the log could still open."""
        return len(await self._positions(reach)) + await self._open(reach)

    async def _positions(self, reach: Reach) -> list[int]:
        """Return where originals are sealed that are reached and not marked yet, in order."""
        where, values = _reached(reach)
        rows = await self._rows.all(f"SELECT DISTINCT position {_FROM} AND {where} ORDER BY 1", values)
        return [position for (position,) in rows]

    async def _staying(self, reach: Reach, scope: KeyScope) -> list[int]:
        """Return where a key sealed originals that are not reached, in order."""
        reached, values = condition(reach.selection, COLUMNS)
        values |= {"tenant": reach.tenant, "upto": reach.upto, "of": scope.subject, "kind": scope.category}
        rows = await self._rows.all(
            f"SELECT DISTINCT position {_FROM} AND position <= %(upto)s AND subject = %(of)s "
            f"AND category = %(kind)s AND {_MONTH} = %(month)s AND ({reached}) IS NOT TRUE ORDER BY 1",
            {**values, "month": scope.month},
        )
        return [position for (position,) in rows]

    async def _seal_anew(self, reach: Reach, positions: list[int]) -> int:
        events = await self._sealed_at(positions)
        for position, event in events:
            stream = stream_id(reach.tenant, "pseudonyms", f"{event.sealed_at:%Y-%m}")
            await self._append(reach, f"originals.kept.{position}", [NewEvent(stream, event)])
        return len(events)

    async def _open(self, reach: Reach) -> int:
        """Open the newest that this erasure reached: none may."""
        stream = stream_id(reach.tenant, "erasure", reach.purge_id)
        marked = [
            position
            async for envelope in self._log.read_stream(stream)
            if isinstance(envelope.event, PseudonymsErased)
            for position in envelope.event.positions
        ]
        return len(await self._sealed_at(marked[-CHUNK:]))

    async def _sealed_at(self, positions: list[int]) -> list[tuple[int, PseudonymsSealed]]:
        """Return the events at these positions whose originals can be opened."""
        rows = await self._rows.all(_AT, [positions]) if positions else []
        envelopes = await self._reader.decode([StoredRow(*row) for row in rows])
        return [
            (envelope.position, envelope.event)
            for envelope in envelopes
            if isinstance(envelope.event, PseudonymsSealed) and isinstance(envelope.event.originals, tuple)
        ]

    async def _append(self, reach: Reach, step: str, events: Iterable[NewEvent]) -> None:
        await self._log.append(
            AppendRequest(
                tenant=reach.tenant,
                command_id=reach.command(step),
                events=tuple(events),
                correlation=reach.purge_id,
                actor=ACTOR,
            )
        )


def _reached(reach: Reach) -> tuple[str, Parameters]:
    """Return the condition on rows that a round reaches: all that was sealed before the erasure began."""
    reached, values = condition(reach.selection, COLUMNS)
    values |= {"tenant": reach.tenant, "upto": reach.upto, "at": reach.at}
    return f"(position <= %(upto)s OR moment <= %(at)s) AND {reached}", values
