"""What the routes need from the rest of the product; `interfaces/composition.py` provides it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from litestar.types import Scope

from application.bus import Caller, Command, Outcome
from application.idempotency import IdempotencyStore
from application.ports import Clock
from domain.tenancy.principal import Principal


def services_of(scope: Scope) -> Services:
    """Return the services of the application that handles a connection."""
    return cast("Services", scope["litestar_app"].state["services"])


class CommandBus(Protocol):
    """Carries commands to their handlers; returns when their effects can be read on every process."""

    async def dispatch(self, command: Command, caller: Caller) -> Outcome: ...


Probe = Callable[[], Awaitable[str | None]]


@dataclass(frozen=True, kw_only=True)
class Services:
    """The product as the HTTP interface sees it.

    `authenticate(key)` and `principal_of(tenant, key_id)` raise Unauthenticated for what is unknown, expired
    or revoked. `session_secret` is 32 bytes, the same on every process. `probes` answer a short detail or
    raise. `read_barrier` returns when the read models have what was stored before it was called (bounded).
    Bodies have at most `largest_body` bytes and `body_timeout_s` to arrive.
    """

    version: str
    clock: Clock
    bus: CommandBus
    authenticate: Callable[[str], Awaitable[Principal]]
    principal_of: Callable[[str, str], Awaitable[Principal]]
    session_secret: bytes
    idempotency: IdempotencyStore
    probes: Mapping[str, Probe]
    read_barrier: Callable[[], Awaitable[None]]
    observe_request: Callable[[str, str, int, float], None]
    render_metrics: Callable[[], tuple[bytes, str]]
    web_dist: Path
    largest_body: int = 1024 * 1024
    body_timeout_s: float = 30.0
