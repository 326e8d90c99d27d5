"""Sends what the gateway answers, and notices at once when the client goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

import structlog
from litestar.exceptions import HTTPException
from litestar.types import Receive, Scope, Send

from application.orchestration.dialects.errors import error_body
from application.orchestration.dialects.model import Dialect
from application.processes.gateway.call import GatewayCall
from application.processes.gateway.outcome import LastChunk, Refused, Streamed, Whole
from domain.kernel import errors
from interfaces.http.problems import TABLE
from interfaces.http.protocol import departure_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

Serve = Callable[[GatewayCall], Awaitable[Whole | Streamed]]
log = structlog.get_logger("gateway")


class DialectError:
    """An error answer in the caller's dialect, as an ASGI application."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self._status = status
        self._body = body
        self._headers = headers

    @classmethod
    def of(cls, dialect: Dialect, request_id: str, error: Exception) -> DialectError:
        """Return the answer for any error that one of our layers raised."""
        if isinstance(error, Refused):
            headers = dict(error.headers)
            if error.status == 429 and error.code == "quota_exceeded":
                headers["x-should-retry"] = "false"
            return cls(error.status, error.render(dialect, request_id), headers)
        status, code = status_of(error)
        param = error.errors[0].pointer if isinstance(error, errors.InvalidInput) and error.errors else None
        message = getattr(error, "message", None) or getattr(error, "detail", None) or "the server failed"
        if status == 500:
            log.error("request failed", exc_info=error)
            message = "The server failed; the log has the details under this request id."
        body = error_body(
            dialect, status=status, message=message, code=code, param=param, request_id=request_id
        )
        retry_after_s = getattr(error, "retry_after_s", None)
        headers = {} if retry_after_s is None else {"retry-after": str(max(1, round(retry_after_s)))}
        return cls(status, body, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the error."""
        headers = {"content-type": "application/json", **self._headers}
        await _send_whole(send, self._status, headers, self._body)


class GatewayAnswer:
    """Serves one call and sends its answer; a client that leaves cancels the call, where the server tells."""

    def __init__(self, serve: Serve, call: GatewayCall) -> None:
        self._serve = serve
        self._call = call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request on this connection."""
        departure = departure_of(scope)
        if departure is None:
            await self._answer(scope, receive, send)
            return
        answering = cast("asyncio.Task[None]", asyncio.current_task())
        left = False

        def leave() -> None:
            nonlocal left
            left = True
            answering.cancel()

        departure.watch(leave)
        try:
            await self._answer(scope, receive, send)
        except asyncio.CancelledError:
            if not left:
                raise
            answering.uncancel()
        finally:
            departure.watch(None)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            served = await self._serve(self._call)
        except Exception as error:  # noqa: BLE001 the caller's dialect has a body for every error
            failed = DialectError.of(self._call.request.dialect, self._call.request_id, error)
            await failed(scope, receive, send)
            return
        if isinstance(served, Whole):
            await _send_whole(send, served.status, served.headers, served.body)
        else:
            await _send_stream(send, served.headers, served.chunks)


async def _send_whole(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    encoded = [*_encoded(headers), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _send_stream(send: Send, headers: Mapping[str, str], chunks: AsyncIterator[bytes]) -> None:
    encoded = [*_encoded(headers), (b"x-accel-buffering", b"no")]
    async with aclosing(cast("AsyncGenerator[bytes, None]", chunks)) as stream:
        await send({"type": "http.response.start", "status": 200, "headers": encoded})
        async for chunk in stream:
            more = not isinstance(chunk, LastChunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": more})


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers.items()]


def status_of(error: Exception) -> tuple[int, str]:
    """Return the status and code of one of our errors at the gateway; bad input is 400 there, not 422."""
    if isinstance(error, errors.InvalidInput):
        return 400, "invalid_request"
    for cls in type(error).__mro__:
        if cls in TABLE:
            status, name, _ = TABLE[cls]
            return status, name.replace("-", "_")
    if isinstance(error, HTTPException):
        return error.status_code, {413: "request_too_large", 408: "timeout"}.get(
            error.status_code, "bad_request"
        )
    return 500, "internal_error"
