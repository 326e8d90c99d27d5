"""Keeps one child process running: started, restarted with backoff, stopped with everything it started."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infrastructure.embedded import die_with_parent, orphans
from infrastructure.embedded.errors import ServiceStartError
from infrastructure.embedded.restarts import Backoff, Stopped, within

_PROBE_SECONDS = 0.1
_FIRST_START_ATTEMPTS = 3
_GROUP_SECONDS = 3.0


@dataclass(frozen=True)
class Child:
    """A process to keep running.

    `ready` is asked until it says yes before the next one starts. `once`: run to its end instead, which must
    be status 0. `pass_fds` are inherited. `stop_seconds`: patience between SIGTERM and SIGKILL.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    ready: Callable[[], Awaitable[bool]] | None = None
    ready_seconds: float = 120.0
    once: bool = False
    pass_fds: Sequence[int] = ()
    stop_seconds: float = 10.0
    directory: Path | None = None


class SupervisedChild:
    """One child process: started, restarted with backoff, stopped with everything it started."""

    def __init__(self, child: Child, say: Callable[[str], None], backoff: Backoff) -> None:
        self.name, self._child, self._say, self._backoff = child.name, child, say, backoff
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._spawning = asyncio.Lock()
        self._born = 0.0

    @property
    def pid(self) -> int | None:
        """The id of the process while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it and wait until it is ready; ServiceStartError when it is not, Stopped when told to."""
        for attempt in range(1, _FIRST_START_ATTEMPTS + 1):
            process = await self._spawn()
            if await self._became_ready(process):
                break
            await self._forget(process)
            if self._child.once or attempt == _FIRST_START_ATTEMPTS:
                raise ServiceStartError(
                    f"{self.name} {_how_it_ended(process)} before it was ready; see its log"
                )
            await self._pause(self._report_end(process))
        if self._child.once:
            await self._forget(process)
        else:
            self._watching = asyncio.create_task(self._watch())

    def give_up(self) -> None:
        """Make a start under way end soon, and forbid another."""
        self._stopping.set()

    async def stop(self, patience: float) -> None:
        """End it and its process group: SIGTERM, and SIGKILL after at most `patience` seconds."""
        self._stopping.set()
        async with self._spawning:
            process = self._process
        if process is not None:
            await self._terminate(process, min(patience, self._child.stop_seconds))
        if self._watching is not None:
            await self._watching

    async def _terminate(self, process: asyncio.subprocess.Process, patience: float) -> None:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(patience):
                    await process.wait()
            except TimeoutError:
                self._say(f"{self.name} does not stop; killing it")
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        await asyncio.to_thread(orphans.end_group, process.pid, 0.0)

    async def _spawn(self) -> asyncio.subprocess.Process:
        shim = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid())]
        async with self._spawning:
            if self._stopping.is_set():
                raise Stopped
            self._process = await asyncio.create_subprocess_exec(
                *shim,
                *self._child.argv,
                env=dict(self._child.env),
                cwd=self._child.directory,
                pass_fds=tuple(self._child.pass_fds),
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        self._born = time.monotonic()
        return self._process

    async def _became_ready(self, process: asyncio.subprocess.Process) -> bool:
        deadline = time.monotonic() + self._child.ready_seconds
        while process.returncode is None:
            if self._stopping.is_set():
                raise Stopped
            if not self._child.once and (self._child.ready is None or await self._child.ready()):
                return True
            if time.monotonic() >= deadline:
                raise ServiceStartError(f"{self.name} is not ready after {self._child.ready_seconds:.0f} s")
            await asyncio.sleep(_PROBE_SECONDS)
        return self._child.once and process.returncode == 0

    async def _watch(self) -> None:
        process = self._process
        while process is not None:
            await process.wait()
            await self._forget(process)
            try:
                await self._pause(self._report_end(process))
                process = await self._spawn()
            except Stopped:
                return

    def _report_end(self, process: asyncio.subprocess.Process) -> float:
        delay = self._backoff.after(time.monotonic() - self._born)
        if not self._stopping.is_set():
            self._say(f"{self.name} {_how_it_ended(process)}; starting it again in {delay:g} s")
        return delay

    async def _pause(self, seconds: float) -> None:
        if await within(self._stopping, seconds):
            raise Stopped

    async def _forget(self, process: asyncio.subprocess.Process) -> None:
        """End what a dead process left behind (its group), while its number cannot be somebody else's yet."""
        self._process = None
        await asyncio.to_thread(orphans.end_group, process.pid, _GROUP_SECONDS)


def _how_it_ended(process: asyncio.subprocess.Process) -> str:
    code = process.returncode or 0
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
