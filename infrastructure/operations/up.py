"""`aios up`: everything on one machine, supervised; each part a process that is restarted when it dies."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable

from infrastructure import secret_files, web_build
from infrastructure.embedded.errors import EmbeddedServiceError
from infrastructure.embedded.listening import http_ready, listening_socket
from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.embedded.processes import Child, Service, Supervisor
from infrastructure.embedded.valkey import EmbeddedValkey
from infrastructure.settings import Settings
from infrastructure.telemetry.metrics import DIRECTORY_VARIABLE

CLI = [sys.executable, "-m", "interfaces.cli.main"]


def run_up(settings: Settings, say: Callable[[str], None]) -> None:
    """Set up and run until told to stop. Raises EmbeddedServiceError when something does not start."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret_files.admin_key(settings)
    secret_files.master_key(settings)
    _build_console(say)
    held = listening_socket(settings.host, settings.port)
    port = held.getsockname()[1]
    metrics = settings.data_dir / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(mode=0o700)
    env = {**os.environ, "AIOS_DATA_DIR": str(settings.data_dir), DIRECTORY_VARIABLE: str(metrics)}

    def child(name: str, *arguments: str, **options: object) -> Child:
        return Child(name=name, argv=[*CLI, *arguments], env=env, **options)  # type: ignore[arg-type]

    members: list[Child | Service] = []
    if settings.database_url is None:
        members.append(EmbeddedPostgres(settings.data_dir, say=say))
    if settings.redis_url is None:
        members.append(EmbeddedValkey(settings.data_dir, say=say))
    members.append(child("migrate", "migrate", once=True))
    members.append(child("projector", "project"))
    ready = http_ready(_reachable(settings.host), port, "/health/ready")
    members += [
        child(
            name,
            "serve",
            "--fd",
            str(held.fileno()),
            ready=ready,
            pass_fds=(held.fileno(),),
            stop_seconds=20.0,
        )
        for name in _numbered("api", settings.web_workers)
    ]
    members.append(child("outbox", "outbox"))
    members += [child(name, "worker") for name in _numbered("worker", settings.worker_processes)]
    members.append(child("scheduler", "scheduler"))
    url = f"http://{_reachable(settings.host)}:{port}"

    def announce() -> None:
        shown = "as set in AIOS_ADMIN_KEY" if settings.admin_key else secret_files.admin_key(settings)
        say(f"Admin console: {url}/admin")
        say(f"API docs: {url}/docs")
        say(f"API key: {shown}")

    asyncio.run(Supervisor(members, say).run(announce))


def _build_console(say: Callable[[str], None]) -> None:
    try:
        web_build.build(say)
    except web_build.WebBuildError as error:
        say(f"The admin console could not be built, so it is left out for now: {error}")


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name} {number}" for number in range(1, count + 1)]


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 compares, binds nothing


__all__ = ["EmbeddedServiceError", "run_up"]
