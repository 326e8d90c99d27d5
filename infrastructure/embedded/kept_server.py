"""The life of one server: started once however many ask, adopted by later comers, healed after kills.

Three lock files in the server's own directory say what pid files only guess:
`start.lock`  held by the one process that starts, adopts or stops the server;
`life.lock`   inherited by the server and all its children, so it is free only when none of them lives;
`users.lock`  held shared by every process that uses the server; when it is free the keeper stops the server.
"""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from infrastructure.embedded import process_table
from infrastructure.embedded.accounts import Account
from infrastructure.embedded.errors import ServiceStartError, ServiceStillStarting
from infrastructure.embedded.launch import Launch, log_tail, start_keeper
from infrastructure.embedded.locks import FileLock, exclusive

_POLL_SECONDS = 0.05
T = TypeVar("T")


class KeptServer:
    """Locks, record, start, adoption and stop of the server that lives in `directory` (private, ours)."""

    say_every_seconds = 5.0
    leftover_seconds = 10.0

    def __init__(
        self, directory: Path, name: str, account: Account, log: Path, say: Callable[[str], None]
    ) -> None:
        self.directory, self.name, self.account, self.log, self.say = directory, name, account, log, say
        self._users: FileLock | None = None
        self._keeper: subprocess.Popen[str] | None = None
        self._stops = 0

    @property
    def mark(self) -> str:
        """Stands in the command line of the server and its children; unique to this directory."""
        found = self.directory.stat()
        identity = hashlib.sha256(f"{found.st_dev}:{found.st_ino}".encode()).hexdigest()[:16]
        return f"aios-{self.name.lower()}-{identity}"

    @property
    def pid(self) -> int | None:
        """The server's process id while it lives."""
        self._reap(0)
        pid = self.record().get("pid")
        return pid if pid and process_table.is_marked(pid, self.mark, self.account.uid) else None

    def record(self) -> dict[str, Any]:
        """The facts of the last start with `pid` and `keeper`; empty when there was none."""
        try:
            found: dict[str, Any] = json.loads((self.directory / "server.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def hold(self, timeout: float) -> None:
        """Count this process among the users, which keeps the server running."""
        if self._users is not None:
            return
        lock = FileLock(self.directory / "users.lock")
        try:
            lock.take(timeout, shared=True)
        except ServiceStillStarting:
            lock.close()
            raise
        self._users = lock

    def held(self, find: Callable[[], T | None]) -> T | None:
        """Return what `find` finds of the running server, once this process counts among its users.

        None when the server does not run or is about to end; until it was held, it could have.
        """
        if find() is None:
            return None
        try:
            self.hold(0.0)
        except ServiceStillStarting:
            return None
        return find()

    def release(self) -> None:
        """Stop counting this process among the users; the server ends soon after its last user left."""
        if self._users is not None:
            self._users.close()
            self._users = None

    def run(self, prepare: Callable[[], Launch], ready: Callable[[], bool], timeout: float) -> None:
        """Return when `ready()`: adopts a living server, else clears the rest of a dead one and starts anew.

        `prepare` runs when no process of the server lives and may touch its files. Raises ServiceStartError
        when the server ends, ServiceStillStarting when it lives but is not ready after `timeout` seconds.
        """
        began, stops = time.monotonic(), self._stops
        self.hold(timeout)
        with (
            exclusive(self.directory / "start.lock", timeout),
            FileLock(self.directory / "life.lock") as life,
        ):
            while not self._claim(life):
                if self._wait(ready, began, timeout, stops):
                    return
            self._refuse_when_stopped(stops)
            self._keeper = start_keeper(prepare(), self.directory, self.mark, self.log, life.fd)
            if not self._wait(ready, began, timeout, stops):
                raise ServiceStartError(f"{self.name} ended while it started:\n{log_tail(self.log)}")

    def stop(self, timeout: float) -> None:
        """End the server and every process of it, whoever uses it; by force after `timeout` seconds.

        A `run` under way in another thread gives up; another process that is starting the server is waited
        for no longer than half the time.
        """
        deadline = time.monotonic() + timeout
        self._stops += 1
        with FileLock(self.directory / "start.lock") as start, FileLock(self.directory / "life.lock") as life:
            self._await_lock(start, deadline - timeout / 2)
            keeper = self.record().get("keeper")
            if keeper and process_table.is_marked(keeper, self.mark, os.geteuid()):
                process_table.send(keeper, signal.SIGTERM)
                self._await_lock(life, deadline)
            self._clear()
            self._reap(1.0)
        self.release()

    def _await_lock(self, lock: FileLock, deadline: float) -> None:
        while not lock.try_take() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _claim(self, life: FileLock) -> bool:
        """True when no process of the server is left, so that a new one may start; False when it lives."""
        if not life.try_take():
            if self.pid is not None:
                return False
            self.say(f"{self.name}: ending what is left of a server that died")
            self._clear()
            self._await_lock(life, time.monotonic() + self.leftover_seconds)
            if not life.try_take():
                message = f"{self.name} in {self.directory} is in use where its processes cannot be seen"
                raise ServiceStartError(
                    f"{message}: stop the other container, or set AIOS_DATA_DIR to another one"
                )
        self._reap(1.0)
        return True

    def _clear(self) -> None:
        for uid in {self.account.uid, os.geteuid()}:
            process_table.end(self.mark, uid, signal.SIGKILL, 10.0)

    def _refuse_when_stopped(self, stops: int) -> None:
        if self._stops != stops:
            raise ServiceStartError(f"{self.name} was stopped while it was starting")

    def _wait(self, ready: Callable[[], bool], began: float, timeout: float, stops: int) -> bool:
        """True when ready, False when the server died meanwhile."""
        said = began
        while not ready():
            self._refuse_when_stopped(stops)
            if self.pid is None:
                return False
            now = time.monotonic()
            if now - began >= timeout:
                message = f"{self.name} is alive but not ready after {now - began:.0f} s; see {self.log}"
                raise ServiceStillStarting(message, now - began)
            if now - said >= self.say_every_seconds:
                said = now
                self.say(f"{self.name}: still starting, {now - began:.0f} s so far: {log_tail(self.log, 1)}")
            time.sleep(_POLL_SECONDS)
        return True

    def _reap(self, timeout: float) -> None:
        if self._keeper is None:
            return
        try:
            self._keeper.wait(timeout)
        except subprocess.TimeoutExpired:
            return
        self._keeper = None
