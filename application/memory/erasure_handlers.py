"""Erasure's use cases: load, decide, save. Each leaves its line in the audit log in the same append."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec

from application.bus import Command, Work
from application.memory.erasure_commands import (
    ApprovePurge,
    PlaceHold,
    RejectPurge,
    ReleaseHold,
    RequestPurge,
)
from application.ports import NewEvent
from domain.kernel.errors import Forbidden, InvalidInput
from domain.memory.access_events import Access, Action, MemoryAccessed, access_stream
from domain.memory.purge import Purge
from domain.memory.retention import ENTITY, Retention
from domain.memory.selection import HeldScope, Selection

WRITERS = ("admin", "operator")
_IDS = UUID("4f3a1d0e-5a53-5f52-9b7e-2f0d7c1f8a11")


class PurgeAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """A purge that was asked for or approved, and where it stands."""

    purge_id: str
    status: str


class HoldAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A legal hold that was placed or released."""

    hold_id: str
    active: bool


@dataclass(frozen=True)
class ErasureCommandPorts:
    """`reference(tenant, id)` is a person's pseudonym; `clean(text)` takes personal data out of a text.

    `approval_required` asks for a second person for every purge.
    """

    reference: Callable[[str, str], str]
    clean: Callable[[str], Awaitable[str]]
    approval_required: bool = False


async def request_purge(command: RequestPurge, work: Work, ports: ErasureCommandPorts) -> PurgeAccepted:
    """Ask for an erasure. Raises Forbidden, InvalidInput, Conflict."""
    _require_writer(work)
    selection = selection_of(command, work.caller.tenant, ports)
    purge_id = _id("purge", work)
    purge, retention = await work.load(Purge, purge_id), await work.load(Retention, ENTITY)
    purge.request(
        purge_id,
        selection,
        await _cleaned(command.reason, command.subject_id, selection, ports),
        work.caller.actor,
        work.at,
        legal_basis=await _cleaned(command.legal_basis, command.subject_id, selection, ports) or None,
        approval_required=command.require_approval or ports.approval_required,
    )
    retention.check(selection)
    if purge.status == "running":
        retention.tombstone(purge_id, selection, work.at)
    fact = _access(work, "purge", selection.subject, selection.category, purge_id, purge.requested)
    await work.save(purge, retention, facts=(fact,))
    return PurgeAccepted(purge_id=purge_id, status=purge.status)


async def approve_purge(command: ApprovePurge, work: Work, _ports: ErasureCommandPorts) -> PurgeAccepted:
    """Let an erasure begin. Raises Forbidden, NotFound, Conflict."""
    work.caller.require("admin")
    _require_whole_tenant(work)
    purge, retention = await work.load(Purge, command.purge_id), await work.load(Retention, ENTITY)
    purge.approve(command.purge_id, work.caller.actor, work.at)
    if purge.status == "running":
        retention.tombstone(command.purge_id, purge.selection, work.at)
    fact = _access(work, "approve", purge.selection.subject, purge.selection.category, command.purge_id)
    await work.save(purge, retention, facts=(fact,))
    return PurgeAccepted(purge_id=command.purge_id, status=purge.status)


async def reject_purge(command: RejectPurge, work: Work, _ports: ErasureCommandPorts) -> PurgeAccepted:
    """Let an erasure never begin. Raises Forbidden, NotFound, Conflict."""
    work.caller.require("admin")
    _require_whole_tenant(work)
    purge = await work.load(Purge, command.purge_id)
    purge.reject(command.purge_id, work.caller.actor, work.at)
    fact = _access(work, "reject", purge.selection.subject, purge.selection.category, command.purge_id)
    await work.save(purge, facts=(fact,))
    return PurgeAccepted(purge_id=command.purge_id, status=purge.status)


async def place_hold(command: PlaceHold, work: Work, ports: ErasureCommandPorts) -> HoldAnswer:
    """Place a legal hold. Raises Forbidden, InvalidInput, Conflict."""
    _require_writer(work)
    wanted, hold_id = command.placement, _id("hold", work)
    hold = HeldScope(
        hold_id=hold_id,
        subject=ports.reference(work.caller.tenant, wanted.subject_id) if wanted.subject_id else None,
        category=wanted.category,
        since=instant(wanted.since, "/from"),
        until=instant(wanted.until, "/to"),
    )
    retention = await work.load(Retention, ENTITY)
    reason = await _cleaned(wanted.reason, wanted.subject_id, hold, ports)
    retention.place(hold, reason, work.at)
    await work.save(retention, facts=(_access(work, "hold", hold.subject, hold.category, hold_id),))
    return HoldAnswer(hold_id=hold_id, active=True)


async def release_hold(command: ReleaseHold, work: Work, _ports: ErasureCommandPorts) -> HoldAnswer:
    """End a legal hold. Raises Forbidden, NotFound."""
    _require_writer(work)
    retention = await work.load(Retention, ENTITY)
    hold = retention.active.get(command.hold_id)
    retention.release(command.hold_id, work.at)
    subject, category = (hold.subject, hold.category) if hold else (None, None)
    await work.save(retention, facts=(_access(work, "release", subject, category, command.hold_id),))
    return HoldAnswer(hold_id=command.hold_id, active=False)


def selection_of(command: RequestPurge, tenant: str, ports: ErasureCommandPorts) -> Selection:
    """Return what a purge would reach. Raises InvalidInput for a time that cannot be read."""
    return Selection(
        subject=ports.reference(tenant, command.subject_id) if command.subject_id else None,
        category=command.category,
        before=instant(command.before_date, "/before_date"),
    )


def instant(text: str | None, pointer: str) -> datetime | None:
    """Return a time in UTC; a bare date is its midnight. Raises InvalidInput naming the field."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        detail = "this is not an ISO 8601 date or time such as 2026-10-01 or 2026-10-01T00:00:00Z"
        raise InvalidInput.at(pointer, detail) from error


async def _cleaned(
    text: str | None, subject_id: str | None, selected: Selection | HeldScope, ports: ErasureCommandPorts
) -> str:
    """Return a text for the log, in which nobody is named: it outlives what is erased."""
    if text is None:
        return ""
    if subject_id and selected.subject:
        text = re.sub(re.escape(subject_id), selected.subject, text, flags=re.IGNORECASE)
    return await ports.clean(text)


def _access(
    work: Work,
    action: Action,
    subject: str | None,
    category: str | None,
    target: str,
    requested: Any = None,
) -> NewEvent:
    caller = work.caller
    operation = Access(
        at=work.at,
        action=action,
        actor=caller.actor,
        request_id=caller.correlation,
        subject=subject,
        category=category,
        target=target,
        purpose=requested.reason if requested else None,
    )
    return NewEvent(access_stream(caller.tenant, work.at), MemoryAccessed(operations=(operation,)))


def _id(kind: str, work: Work) -> str:
    """Return an id that a repeated command gives again."""
    return f"{kind}_{uuid5(_IDS, f'{work.caller.tenant}/{work.caller.command_id}').hex}"


def _require_writer(work: Work) -> None:
    work.caller.require(*WRITERS)
    _require_whole_tenant(work)


def _require_whole_tenant(work: Work) -> None:
    if work.caller.workspace is not None:
        raise Forbidden("this key is bound to a workspace; erasure is for keys of the whole tenant")


HANDLERS: Mapping[type[Command], Callable[[Any, Work, ErasureCommandPorts], Awaitable[Any]]] = {
    RequestPurge: request_purge,
    ApprovePurge: approve_purge,
    RejectPurge: reject_purge,
    PlaceHold: place_hold,
    ReleaseHold: release_hold,
}
