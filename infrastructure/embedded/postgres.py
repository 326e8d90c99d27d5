"""Runs the product's own PostgreSQL 18 from the wheel: private, with passwords, healed after any kill."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from infrastructure.embedded.accounts import named_account, path_for_server, server_account
from infrastructure.embedded.errors import ServiceStartError
from infrastructure.embedded.kept_server import KeptServer
from infrastructure.embedded.launch import Launch
from infrastructure.embedded.paths import private_directory, socket_directory
from infrastructure.embedded.postgres_binaries import postgres_bin
from infrastructure.embedded.postgres_cluster import clear_traces, create_cluster, write_settings
from infrastructure.embedded.postgres_endpoint import (
    PostgresEndpoint,
    draw_credentials,
    endpoint,
    load_credentials,
)
from infrastructure.embedded.postgres_roles import prepare as prepare_roles

_DEFAULT_PORT = 5432
# Fast shutdown (a checkpoint), then immediate (recovery at the next start), then by force.
_STOP: list[tuple[int, float]] = [(signal.SIGINT, 15.0), (signal.SIGQUIT, 4.0), (signal.SIGKILL, 2.0)]


class EmbeddedPostgres:
    """One PostgreSQL server per data directory, shared by every process that asks for it."""

    name = "PostgreSQL"

    def __init__(
        self,
        data_dir: Path,
        *,
        tcp_port: int | None = None,
        settings: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Keep everything in `data_dir`/postgres; listen on loopback TCP only when `tcp_port` is given.

        `settings` go on top of our own; they apply when this process is the one that starts the server.
        """
        data_dir = private_directory(data_dir.resolve())
        home = private_directory(data_dir / "postgres")
        self._data = home / "data"
        self._account = server_account(self._data)
        self._tcp_port = tcp_port
        self._settings = dict(settings or {})
        self._say = say
        logs = private_directory(data_dir / "logs")
        self._server = KeptServer(home, self.name, self._account, logs / "postgres.log", say)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it lives."""
        return self._server.pid

    def status(self) -> bool:
        """Whether the server lives; cheap enough to poll."""
        return self._server.pid is not None

    def ensure_running(self, timeout: float = 300) -> PostgresEndpoint:
        """Start or adopt the server and return how to reach it; blocks until it answers.

        Safe to call from many processes at once. Progress goes to `say`. Raises ServiceStartError when the
        server cannot start, ServiceStillStarting when it is alive but not ready (a long recovery) after
        `timeout` seconds.
        """
        if self._tcp_port not in {None, self._server.record().get("tcp_port")} and self.status():
            self._say(f"{self.name}: restarting to listen on 127.0.0.1:{self._tcp_port}")
            self.stop()
        self._server.run(self._prepare, self._answers, timeout)
        try:
            prepare_roles(self._maintenance_dsn(), load_credentials(self._credentials))
        except psycopg.Error as error:
            message = f"{self.name} runs, but its roles and databases cannot be prepared: {error}"
            raise ServiceStartError(
                f"{message} (are {self._data} and {self._credentials} of one backup?)"
            ) from error
        return self.endpoint()

    def endpoint(self) -> PostgresEndpoint:
        """How to reach the server of the last start, running or not; ServiceStartError when it never ran."""
        record = self._server.record()
        if not record:
            raise ServiceStartError("the embedded PostgreSQL has never been started; run `aios up`")
        return endpoint(load_credentials(self._credentials), record["sockets"], record["port"])

    def release(self) -> None:
        """Say that this process needs the server no longer; it ends when the last user said so or died."""
        self._server.release()

    def stop(self, timeout: float = 25) -> None:
        """End the server and all its processes, whoever uses it."""
        self._server.stop(timeout)

    @property
    def _credentials(self) -> Path:
        return self._server.directory / "credentials.json"

    def _maintenance_dsn(self) -> str:
        record = self._server.record()
        found = endpoint(load_credentials(self._credentials), record["sockets"], record["port"], "postgres")
        return found.admin_dsn

    def _prepare(self) -> Launch:
        account, port = self._account, self._tcp_port or _DEFAULT_PORT
        programs = postgres_bin(account, named_account(account))
        if not self._data.exists():
            self._say(f"{self.name}: creating the database in {self._data}")
            draw_credentials(self._credentials)
        create_cluster(self._data, programs, load_credentials(self._credentials)["aios_admin"], account)
        sockets = socket_directory(self._data, f".s.PGSQL.{port}", account.uid)
        clear_traces(self._data, sockets)
        inside = path_for_server(self._data, account)
        named = inside if sockets == self._data else str(sockets)
        settings = {**self._settings, "port": str(port), "unix_socket_directories": named}
        write_settings(self._data, account, settings, tcp=self._tcp_port is not None)
        return Launch(
            argv=[str(programs / "postgres"), "-D", inside, "-c", f"cluster_name={self._server.mark}"],
            executable=str(programs / "postgres"),
            directory=self._data,
            account=account,
            stop_signals=_STOP,
            borrowed_directory=sockets if sockets != self._data else None,
            facts={"sockets": str(sockets), "port": port, "tcp_port": self._tcp_port},
        )

    def _answers(self) -> bool:
        record = self._server.record()
        if not record:
            return False
        target = make_conninfo(host=record["sockets"], port=record["port"], connect_timeout=2)
        return PGconn.ping(target.encode()) == Ping.OK
