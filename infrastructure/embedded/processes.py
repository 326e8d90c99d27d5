"""Runs everything `aios up` runs: starts in order, restarts what dies, stops in reverse, leaves nothing."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence

from infrastructure.embedded import orphans
from infrastructure.embedded.restarts import Backoff, Stopped
from infrastructure.embedded.supervised_child import Child, SupervisedChild
from infrastructure.embedded.supervised_service import Service, SupervisedService

__all__ = ["Backoff", "Child", "Service", "Supervisor"]

_STOP_SECONDS = 28.0
_RESERVED_SECONDS = 3.0
_LEFTOVER_SECONDS = 3.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """The one supervisor of this process, which exists for nothing else: see `run`."""

    def __init__(
        self,
        members: Sequence[Child | Service],
        say: Callable[[str], None],
        make_backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        """Supervise `members` in this order; `say` gets one line for each thing worth telling."""
        self._say = say
        self._members: list[SupervisedChild | SupervisedService] = [
            SupervisedChild(member, say, make_backoff())
            if isinstance(member, Child)
            else SupervisedService(member, say, make_backoff())
            for member in members
        ]
        self._stop_asked = asyncio.Event()

    async def run(self, ready: Callable[[], None]) -> None:
        """Start all, call `ready` when all are, run until SIGINT, SIGTERM or SIGHUP, stop all within 30 s.

        Raises ServiceStartError when a member does not start; all is stopped by then too. Further signals
        while it stops change nothing, and stay ignored afterwards: what follows is the end of the process.
        """
        loop = asyncio.get_running_loop()
        for sign in _STOP_SIGNALS:
            loop.add_signal_handler(sign, self._stop_asked.set)
        orphans.adopt_orphans()
        starting = asyncio.create_task(self._start(ready))
        asked = asyncio.create_task(self._stop_asked.wait())
        try:
            await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done() and starting.exception() is None:
                await self._reap_until(asked)
        finally:
            await self._stop(starting)
            for sign in _STOP_SIGNALS:
                loop.remove_signal_handler(sign)
                signal.signal(sign, signal.SIG_IGN)
        asked.cancel()
        try:
            await starting
        except Stopped:
            return

    def ask_to_stop(self) -> None:
        """What a SIGTERM does."""
        self._stop_asked.set()

    async def _start(self, ready: Callable[[], None]) -> None:
        for member in self._members:
            if self._stop_asked.is_set():
                raise Stopped
            await member.start()
        ready()

    async def _reap_until(self, asked: asyncio.Task[bool]) -> None:
        while not asked.done():
            await asyncio.wait({asked}, timeout=5.0)
            orphans.reap({pid for member in self._members if (pid := member.pid) is not None})

    async def _stop(self, starting: asyncio.Task[None]) -> None:
        deadline = time.monotonic() + _STOP_SECONDS
        for member in self._members:
            member.give_up()
        await asyncio.wait({starting})
        for position in reversed(range(len(self._members))):
            member = self._members[position]
            patience = deadline - time.monotonic() - _RESERVED_SECONDS * position
            try:
                await member.stop(max(patience, 0.5))
            except Exception as error:  # noqa: BLE001 - the others must be stopped too
                self._say(f"{member.name} did not stop cleanly: {error}")
        await asyncio.to_thread(orphans.end_children, _LEFTOVER_SECONDS)
