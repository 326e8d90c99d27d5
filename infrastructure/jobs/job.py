"""What a job is: a name, a handler, and its limits; and a call of it, which holds ids and no data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid5

import msgspec

from domain.kernel.events import Envelope

_JOBS = UUID("6f6ef0bb-0f6c-5c0f-a1b9-3a2f0a3f8b11")
Outcome = Literal["done", "repeated", "busy", "retried", "postponed", "failed"]
Observer = Callable[[str, Outcome], None]


class Postponed(Exception):
    """A handler has more to do, but not before `until`: the job comes again then, and has not failed."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"not before {until.isoformat()}")
        self.until = until


class JobRef(msgspec.Struct, frozen=True):
    """One job to do: its name and the position of the event that asks for it."""

    job: str
    position: int
    correlation: str = ""

    @property
    def effect_id(self) -> str:
        """Return the id under which everything that this job does is stored once."""
        return str(uuid5(_JOBS, f"{self.position}/{self.job}"))


class JobCall(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a job, as its handler sees it: the event that asks for it, and whether to give up after.

    A handler that raises Postponed has it called again later, for as often as it does so.
    A handler may run again after a crash, so events it appends get `effect_id` (with a suffix for each
    append) as their command id, and effects outside the log need a key of the same kind.
    """

    ref: JobRef
    envelope: Envelope[Any]
    last_attempt: bool


JobHandler = Callable[[JobCall], Awaitable[None]]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """How a job is done. An attempt that raises is repeated with a growing pause, `max_retries` times.

    The handler runs on the worker's event loop: what computes for long belongs into a thread of its own.
    """

    name: str
    handler: JobHandler
    time_limit_s: float = 300.0
    max_retries: int = 10
    shortest_pause_s: float = 1.0
    longest_pause_s: float = 60.0
