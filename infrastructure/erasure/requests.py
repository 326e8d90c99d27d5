"""Records of gateway requests: users' names, prompts, answers and comments on answers.

What a request used stays counted under its pseudonym; who that was, what was asked and answered goes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from application.ports import AppendRequest, EventLog, NewEvent
from application.processes.erasure.ports import Found, KeyScope, Reach
from application.processes.erasure.process import ACTOR
from domain.kernel.aggregate import stream_id
from domain.kernel.events import Envelope
from domain.kernel.personal import Erased
from domain.kernel.request_record import RequestRecorded
from domain.orchestration.feedback_events import FeedbackGiven
from domain.usage.erasure_events import RequestRekeyed, RequestSubjectsErased
from infrastructure.erasure.conditions import Columns, condition, month_of
from infrastructure.erasure.files import TableFiles
from infrastructure.erasure.keys import PersonKeys
from infrastructure.erasure.rows import Rows
from infrastructure.event_store.codec import COLUMNS as LOG_COLUMNS
from infrastructure.event_store.codec import StoredRow
from infrastructure.event_store.reader import LogReader
from projections.usage.project import USAGE

CATEGORY = "requests"
CHUNK = 500
COLUMNS = Columns(category=f"'{CATEGORY}'::text", moment="started_at")
TYPES = (RequestRecorded.TYPE, FeedbackGiven.TYPE, RequestRekeyed.TYPE)
PERSONAL = ("user", "prompt", "answer", "comment")
_REACHED = """
SELECT {what} FROM usage_requests WHERE tenant = %(tenant)s AND position <= %(upto)s
AND (subject IS NOT NULL OR text_stored) AND {reached}
"""
# A user's name goes when no request of theirs stays.
_NAMES = """
SELECT u.subject FROM usage_users u WHERE u.tenant = %(tenant)s AND EXISTS (
    SELECT FROM usage_requests r WHERE r.tenant = u.tenant AND r.subject = u.subject
    AND r.position <= %(upto)s AND {reached})
AND NOT EXISTS (
    SELECT FROM usage_requests r WHERE r.tenant = u.tenant AND r.subject = u.subject
    AND (r.position > %(upto)s OR ({reached}) IS NOT TRUE))
ORDER BY 1
"""
_SEALED = f"""
SELECT {LOG_COLUMNS} FROM events
WHERE tenant = %s AND position > %s AND position <= %s AND type = ANY(%s) AND key_ids && %s::text[]
ORDER BY position LIMIT {CHUNK}
"""
_AT = "SELECT recorded_at FROM events WHERE position = %s"


class RequestStore:
    """Implements ErasableStore for the records of gateway requests."""

    name = "requests"

    def __init__(
        self, rows: Rows, log: EventLog, reader: LogReader, keys: PersonKeys, files: TableFiles
    ) -> None:
        self._rows = rows
        self._log = log
        self._reader = reader
        self._keys = keys
        self._files = files

    async def find(self, reach: Reach) -> Found:
        """Count records that name or quote somebody, and name the keys of the month where this ends."""
        reached, values = _reached(reach, "started_at", "subject")
        count = await self._rows.number(_REACHED.format(what="count(*)", reached=reached), values)
        return Found(count, await self._shared(reach))

    async def ids(self, reach: Reach) -> set[str]:
        """Return the ids of the requests that are reached."""
        reached, values = _reached(reach, "started_at", "subject")
        rows = await self._rows.all(_REACHED.format(what="request_id", reached=reached), values)
        return {request_id for (request_id,) in rows}

    async def keep(self, reach: Reach, kids: Sequence[str]) -> int:
        """Seal anew what the keys seal of requests that stay."""
        scopes = [scope for scope in await self._keys.scopes(kids) if scope.category == CATEGORY]
        if reach.selection.before is None or not scopes:
            return 0
        kept = 0
        async for envelope in self._sealed(reach, kids):
            event = envelope.event
            if reach.selection.reaches(event.subject, CATEGORY, _moment(event)) or not event.subject:
                continue
            await self._append(reach, f"kept.{envelope.position}", _sealed_anew(envelope))
            kept += 1
        return kept

    async def erase(self, reach: Reach) -> int:
        """Tell the read model to forget names."""
        subjects = await self._names(reach)
        for start in range(0, len(subjects), CHUNK):
            chunk = tuple(subjects[start : start + CHUNK])
            event = RequestSubjectsErased(purge_id=reach.purge_id, subjects=chunk)
            await self._append(reach, f"names.{chunk[0]}.{chunk[-1]}", event)
        return len(subjects)

    async def rewrite(self, reach: Reach) -> str:
        """Write the table of names anew."""
        await self._files.require_one_copy([USAGE.name])
        return await self._files.rewrite("usage_users", reach.tenant)

    async def verify(self, reach: Reach) -> int:
        """Count names that are left, and records in the log that still open."""
        return len(await self._names(reach)) + await self._open(reach)

    async def _names(self, reach: Reach) -> list[str]:
        reached, values = _reached(reach, "r.started_at", "r.subject")
        rows = await self._rows.all(_NAMES.format(reached=reached), values)
        return [subject for (subject,) in rows]

    async def _open(self, reach: Reach) -> int:
        """Open the newest records that are reached: none may."""
        reached, values = _reached(reach, "started_at", "subject")
        newest = _REACHED.format(what="position", reached=reached) + f" ORDER BY position DESC LIMIT {CHUNK}"
        positions = [position for (position,) in await self._rows.all(newest, values)]
        rows = await self._rows.all(f"SELECT {LOG_COLUMNS} FROM events WHERE position = ANY(%s)", [positions])
        found = await self._reader.decode([StoredRow(*row) for row in rows])
        return sum(_is_open(envelope.event) for envelope in found)

    async def _shared(self, reach: Reach) -> frozenset[KeyScope]:
        """Return scopes of the last month that seal something reached; found in the log itself."""
        selection = reach.selection
        if selection.before is None or selection.category not in {None, CATEGORY}:
            return frozenset()
        month = month_of(selection.before)
        kids = await self._keys.of_month(reach.tenant, selection.subject, CATEGORY, month)
        used: set[str] = set()
        async for envelope, key_ids in self._sealed_rows(reach, kids):
            event = envelope.event
            if selection.reaches(event.subject, CATEGORY, _moment(event)):
                used.update(key_ids)
        return frozenset(await self._keys.scopes(sorted(used)))

    async def _sealed(self, reach: Reach, kids: Sequence[str]) -> AsyncIterator[Envelope[Any]]:
        async for envelope, _ in self._sealed_rows(reach, kids):
            yield envelope

    async def _sealed_rows(
        self, reach: Reach, kids: Sequence[str]
    ) -> AsyncIterator[tuple[Envelope[Any], list[str]]]:
        """Yield the records that some keys seal, of the month in which the selection ends and later."""
        before = reach.selection.before
        if before is None or not kids:
            return
        after = await self._last_before(before.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
        while True:
            rows = await self._rows.all(_SEALED, [reach.tenant, after, reach.upto, list(TYPES), list(kids)])
            stored = [StoredRow(*row) for row in rows]
            for envelope, row in zip(await self._reader.decode(stored), stored, strict=True):
                yield envelope, row.key_ids
            if len(rows) < CHUNK:
                return
            after = stored[-1].position

    async def _last_before(self, moment: datetime) -> int:
        """Return the position of the last event recorded before a moment; times follow positions."""
        low, high = 0, await self._log.head()
        while low < high:
            middle = (low + high + 1) // 2
            rows = await self._rows.all(_AT, [middle])
            if rows and rows[0][0] < moment:
                low = middle
            else:
                high = middle - 1
        return low

    async def _append(self, reach: Reach, step: str, event: RequestRekeyed | RequestSubjectsErased) -> None:
        stream = stream_id(reach.tenant, "erasure", reach.purge_id)
        await self._log.append(
            AppendRequest(
                tenant=reach.tenant,
                command_id=reach.command(step),
                events=(NewEvent(stream, event),),
                correlation=reach.purge_id,
                actor=ACTOR,
            )
        )


def _reached(reach: Reach, moment: str, subject: str) -> tuple[str, dict[str, Any]]:
    """Return the condition on records; none of them expires by a memory's policy."""
    columns = msgspec.structs.replace(COLUMNS, moment=moment, subject=subject)
    reached, values = condition(reach.selection, columns)
    return f"({reached})", {**values, "tenant": reach.tenant, "upto": reach.upto}


def _moment(event: RequestRecorded | FeedbackGiven | RequestRekeyed) -> datetime:
    if isinstance(event, RequestRecorded):
        return event.started_at
    return event.given_at if isinstance(event, FeedbackGiven) else event.moment


def _is_open(event: object) -> bool:
    values = [getattr(event, name, None) for name in PERSONAL]
    return any(value is not None and not isinstance(value, Erased) for value in values)


def _sealed_anew(envelope: Envelope[Any]) -> RequestRekeyed:
    event = envelope.event
    values = {name: getattr(event, name, None) for name in PERSONAL}
    return RequestRekeyed(
        request_id=event.request_id,
        original=getattr(event, "original", envelope.position),
        moment=_moment(event),
        subject=event.subject,
        **{name: value for name, value in values.items() if not isinstance(value, Erased)},
    )
