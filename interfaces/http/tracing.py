"""Follows every request from its head to the last byte of its answer: id, log line, metrics, common headers.

It wraps the whole application as plain ASGI and reads no body, so streams pay next to nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from interfaces.http.identifiers import time_ordered_id

WELL_FORMED: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
REQUEST_ID: Final = b"x-request-id"
COMMON_HEADERS: Final = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
NO_STORE: Final = (b"cache-control", b"no-store")
NO_ANSWER: Final = 499  # the client went away first; nginx's number for it, only seen in logs and metrics
QUIET: Final = ("/health/", "/metrics", "/admin", "/docs", "/favicon")


class Served(msgspec.Struct, frozen=True):
    """What became of a request; `route` is its path's template, `quiet` is said of pages and probes."""

    method: str
    route: str
    status: int
    seconds: float
    tenant: str | None
    request_id: str
    quiet: bool


ObserveRequest = Callable[[Served], None]


def request_id_of(scope: Scope) -> str:
    """Return the id of a request that passed `Tracing`."""
    found = scope.get("aios.request_id")
    return found if isinstance(found, str) else ""


def started_of(scope: Scope) -> float:
    """Return `time.monotonic()` at the arrival of a request that passed `Tracing`."""
    found = scope.get("aios.started")
    return found if isinstance(found, float) else time.monotonic()


class Tracing:
    """Gives a request its id, answers HEAD like GET, and says what became of it: one log line, one metric."""

    def __init__(self, app: ASGIApp, observe: ObserveRequest) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        traced = cast("dict[str, Any]", scope)
        if traced["method"] == "HEAD":  # the server keeps the original scope and drops the body
            traced = {**traced, "method": "GET"}
        traced["aios.request_id"] = _incoming_id(scope) or time_ordered_id("req")
        traced.setdefault("aios.started", time.monotonic())
        await self._follow(traced, receive, send)

    async def _follow(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        status = NO_ANSWER
        request_id = scope["aios.request_id"]
        headers = [*COMMON_HEADERS]
        if scope["path"].startswith("/api/"):
            headers.append(NO_STORE)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message["headers"]
                told = any(name == REQUEST_ID for name, _ in given)  # a repeated answer has its first id
                own = [] if told else [(REQUEST_ID, request_id.encode())]
                message["headers"] = [*given, *own, *headers]
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(cast("Scope", scope), receive, send_with_headers)
        except BaseException:
            status = 500 if status == NO_ANSWER else status
            raise
        finally:
            self._report(scope, status, time.monotonic() - scope["aios.started"])
            structlog.contextvars.unbind_contextvars("request_id")

    def _report(self, scope: dict[str, Any], status: int, seconds: float) -> None:
        route = scope.get("path_template") or "unmatched"
        tenant = getattr(scope.get("auth"), "tenant", None)
        quiet = status < 500 and scope["path"].startswith(QUIET)
        method, request_id = scope["method"], scope["aios.request_id"]
        self._observe(Served(method, route, status, seconds, tenant, request_id, quiet))


def _incoming_id(scope: Scope) -> str | None:
    """Return the caller's id; the gateway's records need ids of their own, which nobody can repeat."""
    if scope["path"].startswith("/v1/"):
        return None
    for name, value in scope["headers"]:
        if name == b"x-request-id" and WELL_FORMED.fullmatch(value):
            return value.decode("ascii")
    return None
