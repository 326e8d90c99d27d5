"""`aios up`: everything on one machine, supervised; each part a process that is restarted when it dies."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from infrastructure import secret_files, web_build
from infrastructure.embedded import orphans
from infrastructure.embedded.errors import ServiceStartError
from infrastructure.embedded.listening import http_ready, listening_socket
from infrastructure.embedded.locks import FileLock
from infrastructure.embedded.paths import private_directory
from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.embedded.processes import Child, Service, Supervisor
from infrastructure.embedded.restarts import Stopped
from infrastructure.embedded.valkey import EmbeddedValkey
from infrastructure.settings import Settings
from infrastructure.telemetry.metrics import DIRECTORY_VARIABLE

Say = Callable[[str], None]
CLI = [sys.executable, "-m", "interfaces.cli.main"]
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_up(settings: Settings, say: Say) -> None:
    """Set up and run until told to stop.

    Raises EmbeddedServiceError when something does not start, SettingsError for a damaged key file.
    """
    private_directory(settings.data_dir.resolve())
    with _only_one(settings.data_dir), _stoppable():
        secret_files.admin_key(settings)
        secret_files.master_key(settings)
        held = listening_socket(settings.host, settings.port)
        port = held.getsockname()[1]
        _build_console(say)
        members: list[Child | Service] = [*_servers(settings, say)]
        members += _processes(settings, held.fileno(), port)
        asyncio.run(Supervisor(members, say).run(partial(_announce, settings, port, say)))


def _servers(settings: Settings, say: Say) -> Iterator[Service]:
    """The servers that the operator did not bring."""
    if settings.database_url is None:
        yield EmbeddedPostgres(settings.data_dir, say=say)
    if settings.redis_url is None:
        yield EmbeddedValkey(settings.data_dir, say=say)


def _processes(settings: Settings, listening: int, port: int) -> Iterator[Child]:
    """The product's own processes in the order of their start."""
    env = _environment(settings)
    yield Child("migrate", [*CLI, "migrate"], env, once=True)
    yield Child("projector", [*CLI, "project"], env, stop_seconds=15.0)
    serve = [*CLI, "serve", "--fd", str(listening)]
    ready = http_ready(_reachable(settings.host), port, "/health/ready")
    for name in _numbered("api", settings.web_workers):
        yield Child(name, serve, env, ready=ready, pass_fds=(listening,), stop_seconds=20.0)
    yield Child("outbox", [*CLI, "outbox"], env)
    for name in _numbered("worker", settings.worker_processes):
        yield Child(name, [*CLI, "worker"], env, stop_seconds=20.0)
    yield Child("scheduler", [*CLI, "scheduler"], env)


def _environment(settings: Settings) -> Mapping[str, str]:
    """What the processes get: ours, the data directory by its full path, and a fresh place for metrics."""
    metrics = settings.data_dir / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(mode=0o700)
    return {**os.environ, "AIOS_DATA_DIR": str(settings.data_dir), DIRECTORY_VARIABLE: str(metrics)}


def _announce(settings: Settings, port: int, say: Say) -> None:
    host = _reachable(settings.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    shown = "as set in AIOS_ADMIN_KEY" if settings.admin_key else secret_files.admin_key(settings)
    say(f"Admin console: {url}/admin")
    say(f"API docs: {url}/docs")
    say(f"API key: {shown}")


def _build_console(say: Say) -> None:
    try:
        web_build.build(say)
    except web_build.WebBuildError as error:
        say(f"The admin console could not be built, so it is left out for now: {error}")


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Keep a second `aios up` off the same data directory. Raises ServiceStartError for the second one."""
    with FileLock(data_dir / "up.lock") as lock:
        if not lock.try_take():
            holder = lock.path.read_text().strip() or "unknown"
            raise ServiceStartError(
                f"another `aios up` (process {holder}) runs on {data_dir}: "
                "stop it, or set AIOS_DATA_DIR to another directory"
            )
        os.ftruncate(lock.fd, 0)
        os.write(lock.fd, f"{os.getpid()}\n".encode())
        yield


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let a signal end the set-up, too, leaving nothing; once it runs, the supervisor listens instead."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for sign in STOP_SIGNALS:
            signal.signal(sign, signal.SIG_IGN)
        raise Stopped

    for sign in STOP_SIGNALS:
        signal.signal(sign, stop)
    orphans.adopt_orphans()
    try:
        yield
    except Stopped:
        return
    finally:
        orphans.end_children(1.0)


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name} {number}" for number in range(1, count + 1)]


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 compares, binds nothing
