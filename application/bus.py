"""Carries a command to its handler: one dictionary of handlers, one retry rule, one wait for read models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar, cast

import msgspec

from application.ports import AppendRequest, Claim, Clock, EventLog, NewEvent, ReadModels
from domain.kernel.aggregate import Aggregate, Recorded, stream_id
from domain.kernel.errors import Forbidden, VersionConflict
from domain.kernel.events import Envelope

A = TypeVar("A", bound=Aggregate)
ATTEMPTS = 8


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A wish of a client, named in the imperative; handlers may refuse it.

    WAITS is False for those of high rate whose readers wait by themselves: they answer once they are durable.
    """

    WAITS: ClassVar[bool] = True


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: the tenant comes from the credential, never from the request.

    `actor` is `key/<id>`, `user/<id>` or `system/<name>`; `correlation` is the request id; `command_id`
    makes a repeated command harmless.
    """

    tenant: str
    actor: str
    roles: frozenset[str]
    correlation: str
    command_id: str
    workspace: str | None = None

    def require(self, *roles: str) -> None:
        """Raise Forbidden unless the caller holds one of the roles."""
        if not self.roles.intersection(roles):
            raise Forbidden(
                f"this needs one of the roles {', '.join(roles)}; the key has "
                f"{', '.join(sorted(self.roles)) or 'none'}"
            )


class Work:
    """One attempt at a command: loads aggregates of the caller's tenant and saves them in one append."""

    def __init__(self, log: EventLog, caller: Caller, at: datetime) -> None:
        self._log = log
        self.caller = caller
        self.at = at
        self.position = 0
        self.duplicate = False

    async def load(self, cls: type[A], entity_id: str, *, tenant: str | None = None) -> A:
        """Return the tenant's aggregate, blank when it does not exist yet."""
        return await self._log.load(cls, stream_id(tenant or self.caller.tenant, cls.KIND, entity_id))

    async def stream(self, stream_id: str) -> list[Envelope[Any]]:
        """Return the events of a plain stream, oldest first."""
        return [envelope async for envelope in self._log.read_stream(stream_id)]

    async def save(
        self,
        *aggregates: Aggregate,
        facts: tuple[NewEvent, ...] = (),
        claims: tuple[Claim, ...] = (),
        tenant: str | None = None,
    ) -> int:
        """Append what the aggregates recorded, and `facts` of plain streams: all or nothing, once a command.

        Returns the last position (0: nothing to store). Raises VersionConflict, NameTaken or Unavailable, in
        which case nothing was stored.
        """
        decided = tuple(
            NewEvent(e.originator_id, cast("Recorded", e).payload, e.originator_version - 1)
            for aggregate in aggregates
            for e in aggregate.collect_events()
        )
        if not (decided or facts or claims):
            return self.position
        stored = await self._log.append(
            AppendRequest(
                tenant=tenant or self.caller.tenant,
                command_id=self.caller.command_id,
                events=decided + facts,
                correlation=self.caller.correlation,
                actor=self.caller.actor,
                claims=claims,
            )
        )
        self.position, self.duplicate = stored.last_position, stored.duplicate
        return self.position


Handler = Callable[[Any, Work], Awaitable[Any]]


class Outcome(msgspec.Struct, frozen=True):
    """What a handled command answers: its result and the position of its last event (0: nothing changed)."""

    result: Any
    position: int


class Bus:
    """Dispatches commands to handlers `async (command, work) -> result`."""

    def __init__(
        self, handlers: Mapping[type[Command], Handler], log: EventLog, clock: Clock, read_models: ReadModels
    ) -> None:
        self._handlers = handlers
        self._log = log
        self._clock = clock
        self._read_models = read_models

    async def dispatch(self, command: Command, caller: Caller) -> Outcome:
        """Handle a command and return when its effects can be read on every process, if it waits for that.

        A handler that lost a race for a stream runs again on the newer state, up to ATTEMPTS times.
        """
        handler = self._handlers[type(command)]
        for attempt in range(1, ATTEMPTS + 1):
            work = Work(self._log, caller, self._clock())
            try:
                result = await handler(command, work)
            except VersionConflict:
                if attempt == ATTEMPTS:
                    raise
                continue
            if work.position and command.WAITS:
                await self._read_models.everywhere(work.position)
                await self._read_models.caught_up(work.position)
            return Outcome(result, work.position)
        raise AssertionError("unreachable: the last attempt returns or raises")
