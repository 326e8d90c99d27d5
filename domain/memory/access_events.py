"""Who did what with memories and why: the audit log. It counts, and never tells contents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal, get_args

import msgspec

from domain.kernel.aggregate import stream_id
from domain.kernel.events import Event

Action = Literal[
    "add",
    "update",
    "delete",
    "search",
    "read",
    "list",
    "policy",
    "purge",
    "approve",
    "reject",
    "hold",
    "release",
    "export",
]
ACTIONS: tuple[Action, ...] = get_args(Action)


class Access(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One operation. `subject` is a person's pseudonym; `counts` are items by what happened to them.

    `target` is the id of what the operation was about: a memory, a purge, a hold. `outcome` is `ok` or the
    status with which it was refused.
    """

    at: datetime
    action: Action
    actor: str
    request_id: str
    outcome: str = "ok"
    subject: str | None = None
    category: str | None = None
    target: str | None = None
    purpose: str | None = None
    counts: Mapping[str, int] = {}


class MemoryAccessed(Event, frozen=True, kw_only=True):
    """Operations of a tenant's keys on memories, in the order in which they ended.

    Plain stream `tenant/memory-access/YYYY-MM`. Reads and searches of a moment share an event.
    """

    TYPE: ClassVar[str] = "memory.accessed"

    operations: tuple[Access, ...]


def access_stream(tenant: str, at: datetime) -> str:
    """Return the stream of a month's operations."""
    return stream_id(tenant, "memory-access", f"{at:%Y-%m}")


EVENTS: tuple[type[Event], ...] = (MemoryAccessed,)
