"""A bus on an in-memory log with a clock that the test moves, for tests of handlers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from application.bus import Bus, Caller, Command, Handler
from domain.kernel.events import Envelope
from tests.fakes.event_log import InMemoryEventLog

START = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


class AtOnce:
    """Read models that are always up to date, and remember how far commands waited for them."""

    def __init__(self) -> None:
        self.waited_for = 0

    async def caught_up(self, position: int, projections: Sequence[str] = (), timeout_s: float = 2.0) -> bool:
        self.waited_for = max(self.waited_for, position)
        return True

    async def everywhere(self, position: int, timeout_s: float = 5.0) -> bool:
        self.waited_for = max(self.waited_for, position)
        return True


class Office:
    """Sends commands as different callers and keeps what they answered."""

    def __init__(
        self, handlers: Mapping[type[Command], Handler], log: InMemoryEventLog | None = None
    ) -> None:
        self.log = log or InMemoryEventLog()
        self.now = START
        self.read_models = AtOnce()
        self._bus = Bus(handlers, self.log, lambda: self.now, self.read_models)
        self._numbers = count(1)

    async def send(
        self,
        command: Command,
        *roles: str,
        tenant: str = "acme",
        workspace: str | None = None,
        command_id: str | None = None,
    ) -> Any:
        """Dispatch a command as a key with these roles (admin unless told) and return its result."""
        caller = Caller(
            tenant=tenant,
            actor="key/test",
            roles=frozenset(roles or ("admin",)),
            correlation="r1",
            command_id=command_id or f"c{next(self._numbers)}",
            workspace=workspace,
        )
        return (await self._bus.dispatch(command, caller)).result

    def later(self, **duration: float) -> None:
        """Move the clock."""
        self.now += timedelta(**duration)

    @property
    def events(self) -> list[Envelope[Any]]:
        """Return everything that happened."""
        return self.log.envelopes
