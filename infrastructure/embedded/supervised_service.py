"""Keeps one service running that looks after its own process: watched, and started again with backoff."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from infrastructure.embedded.restarts import Backoff, Stopped, within

_WATCH_SECONDS = 0.25
_GIVE_UP_SECONDS = 10.0


class Service(Protocol):
    """What watches over its own process, like EmbeddedPostgres: asked by polling."""

    name: str

    def ensure_running(self) -> object:
        """Start or adopt it; blocks until it answers."""

    def status(self) -> bool:
        """Whether it lives."""

    def stop(self, timeout: float) -> None:
        """End it within `timeout` seconds; makes an `ensure_running` under way give up."""


class SupervisedService:
    """One service that runs itself: watched by polling, made to run again with backoff."""

    def __init__(self, service: Service, say: Callable[[str], None], backoff: Backoff) -> None:
        self.name, self._service, self._say, self._backoff = service.name, service, say, backoff
        self._watching: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self.pid: int | None = None

    async def start(self) -> None:
        """Start or adopt the service; raises what its `ensure_running` raises, Stopped when told to stop."""
        running = asyncio.create_task(asyncio.to_thread(self._service.ensure_running))
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not running.done():
            await asyncio.to_thread(self._service.stop, _GIVE_UP_SECONDS)
            await asyncio.wait({running})
        if self._stopping.is_set():
            running.exception()
            raise Stopped
        running.result()
        self._watching = asyncio.create_task(self._watch())

    def give_up(self) -> None:
        """Make a start under way end soon, and forbid another."""
        self._stopping.set()

    async def stop(self, patience: float) -> None:
        """End the service."""
        self._stopping.set()
        await asyncio.to_thread(self._service.stop, patience)
        if self._watching is not None:
            await self._watching
        if self._service.status():  # the watch had just begun to start it again
            await asyncio.to_thread(self._service.stop, patience)

    async def _watch(self) -> None:
        born = time.monotonic()
        while not self._stopping.is_set():
            if self._service.status():
                await asyncio.sleep(_WATCH_SECONDS)
                continue
            delay = self._backoff.after(time.monotonic() - born)
            self._say(f"{self.name} has ended; starting it again in {delay:g} s")
            if not await within(self._stopping, delay):
                await self._run_again()
                born = time.monotonic()

    async def _run_again(self) -> None:
        try:
            await asyncio.to_thread(self._service.ensure_running)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round tries again
            if not self._stopping.is_set():
                self._say(f"{self.name} did not start: {error}")
