"""What the command line does with this machine and its services, under the names that it uses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from psycopg import Error as DatabaseError

from infrastructure.embedded.errors import EmbeddedServiceError
from infrastructure.jobs.entry import outbox as run_outbox
from infrastructure.jobs.entry import scheduler as run_scheduler
from infrastructure.jobs.entry import worker as run_worker
from infrastructure.operations import upkeep
from infrastructure.operations.doctor import diagnose
from infrastructure.operations.projector import run_projector
from infrastructure.operations.schema import migrate_all as migrate
from infrastructure.operations.stopping import until_stopped
from infrastructure.operations.up import run_up
from infrastructure.runtime import Endpoints
from infrastructure.runtime import endpoints as open_endpoints
from infrastructure.settings import Settings, SettingsError
from infrastructure.settings import load as load_settings
from infrastructure.web_build import WebBuildError
from infrastructure.web_build import build as build_console

Process = Callable[[Settings, Endpoints], Awaitable[None]]

__all__ = [
    "DatabaseError",
    "EmbeddedServiceError",
    "Endpoints",
    "Process",
    "Settings",
    "SettingsError",
    "WebBuildError",
    "build_console",
    "diagnose",
    "load_settings",
    "migrate",
    "open_endpoints",
    "run_outbox",
    "run_projector",
    "run_scheduler",
    "run_up",
    "run_worker",
    "until_stopped",
    "upkeep",
]
