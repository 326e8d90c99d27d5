"""The log line of every answered request, which is most of what an API process logs.

Its fields are the product's own, so it needs none of what `logging` does for other lines, which costs four
times as much; only the request's id may be a client's, and is redacted as everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from infrastructure.telemetry.redaction import redact_text

_encode = msgspec.json.Encoder().encode


class _Line(msgspec.Struct, frozen=True):
    method: str
    route: str
    status: int
    ms: float
    tenant: str | None
    event: str
    request_id: str
    level: str
    time: datetime


class RequestLog:
    """Writes through `write`, which takes a whole line of bytes, what `level` (a number) lets through."""

    def __init__(self, write: Callable[[bytes], None], level: int = logging.INFO) -> None:
        self._write = write
        self._level = level

    def report(
        self,
        method: str,
        route: str,
        status: int,
        seconds: float,
        *,
        tenant: str | None,
        request_id: str,
        quiet: bool = False,
    ) -> None:
        """Write down what became of a request, under its route's template; a `quiet` one for debugging."""
        if (logging.DEBUG if quiet else logging.INFO) < self._level:
            return
        level = "debug" if quiet else "info"
        ms, now = round(seconds * 1000, 1), datetime.now(UTC)
        line = _Line(method, route, status, ms, tenant, "request", redact_text(request_id), level, now)
        self._write(_encode(line) + b"\n")


SILENT = RequestLog(lambda _line: None, logging.CRITICAL)
