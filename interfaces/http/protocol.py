"""uvicorn's HTTP protocol with what it leaves out: limits of a request's head, and who has left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from interfaces.http.identifiers import time_ordered_id

LARGEST_HEAD: Final = 64 * 1024
MOST_HEADERS: Final = 200
REFUSALS: Final = {
    400: "this is not a valid HTTP/1.1 request",
    408: "the request's headers did not arrive in time",
    431: f"a request's line and headers may hold {LARGEST_HEAD} bytes and {MOST_HEADERS} headers",
}


class HeadRefused(Exception):
    """The head of a request is too large; raised through the parser, which stops there."""


class Departure:
    """Tells the request that a connection serves when its client leaves, without a task that waits for it."""

    def __init__(self) -> None:
        self._tell: Callable[[], None] | None = None
        self._happened = False

    def watch(self, tell: Callable[[], None] | None) -> None:
        """Call `tell` once when the client leaves, at once if it has; None ends the watch."""
        self._tell = tell
        if self._happened and tell is not None:
            tell()

    def happen(self) -> None:
        """Note that the client has left."""
        self._happened = True
        if self._tell is not None:
            self._tell()


def departure_of(scope: Mapping[str, Any]) -> Departure | None:
    """Return how to hear of a client's leaving, None when another server took the request."""
    found = scope.get("aios.departure")
    return found if isinstance(found, Departure) else None


class OnePiece:
    """A connection as an answer writes to it: its head leaves with what follows at once, in one system call.

    uvicorn writes the two one by one, which are two packets, and two wake-ups of the client.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.is_closing = transport.is_closing
        self._transport = transport
        self._loop = loop
        self._kept = b""

    def write(self, data: bytes) -> None:
        """Send what was kept and this; keep the latter, for a moment, if it can be a head."""
        if self._kept:
            kept, self._kept = self._kept, b""
            self._transport.write(kept + data)
        elif data.startswith(b"HTTP/1.1 "):
            self._kept = data
            self._loop.call_soon(self._send)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Send what was kept, and close the connection."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._kept and not self._transport.is_closing():
            self._transport.write(self._kept)
        self._kept = b""


class LimitedProtocol(HttpToolsProtocol):
    """Answers 431 to heads that are too large, 408 to those that take too long, and closes the connection.

    The scope tells when a request began (`aios.started`), whether its body was there when it was handed on
    (`aios.whole`), and how to hear of its client's leaving (`aios.departure`).
    """

    head_timeout_s: ClassVar[float] = 20.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._departure = Departure()
        self._heads = 0
        self._received_bytes = 0
        self._reach_bytes = 0
        self._pending_bytes = 0
        self._head_open = True
        self._head_begun = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._refusal = 400

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock of the first head."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock, and tell the request under way."""
        self._stop_timer()
        super().connection_lost(exc)
        self._departure.happen()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; it keeps a header until its end, so bytes of an open head are counted here."""
        heads, self._received_bytes = self._heads, len(data)
        self._reach_bytes += len(data)
        super().data_received(data)
        if not self._head_open:
            return
        if self._head_timer is None:
            self._start_timer()
        if self._heads == heads:
            self._pending_bytes += len(data)
            if self._pending_bytes > LARGEST_HEAD:
                self._refuse(431)

    def on_message_begin(self) -> None:
        """Start counting a head, and the request's own clock."""
        super().on_message_begin()
        scope = cast("dict[str, Any]", self.scope)
        scope["aios.started"], scope["aios.departure"] = time.monotonic(), self._departure
        self._heads += 1
        self._head_open = self._head_begun = True
        self._pending_bytes, self._reach_bytes = 0, self._received_bytes

    def on_headers_complete(self) -> None:
        """Stop the clock; the application takes over."""
        if len(self.headers) > MOST_HEADERS or (
            self._reach_bytes > LARGEST_HEAD and self._head_bytes() > LARGEST_HEAD
        ):
            self._refusal = 431
            raise HeadRefused
        self._head_open = self._head_begun = False
        self._stop_timer()
        super().on_headers_complete()
        if (cycle := self._present()) is not None:
            cycle.transport = cast("asyncio.Transport", OnePiece(self.transport, self.loop))

    def on_message_complete(self) -> None:
        """Note that the body is there."""
        cast("dict[str, Any]", self.scope)["aios.whole"] = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refused with a problem document and close."""
        self._refuse(self._refusal)

    def _present(self) -> RequestResponseCycle | None:
        return self.cycle  # uvicorn's annotation leaves out the None

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._give_up)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        if self._head_begun:
            self._refuse(408)
        else:  # opened in advance, as browsers do, and never used
            self.transport.close()

    def _refuse(self, status: int) -> None:
        if self.transport.is_closing():
            return
        cycle = self._present()
        if cycle is None or not cycle.response_started or cycle.response_complete:
            self.transport.write(_answer(status))
        self.transport.close()


def _answer(status: int) -> bytes:
    request_id = time_ordered_id("req")
    title = HTTPStatus(status).phrase
    body = msgspec.json.encode(
        {
            "type": f"urn:aios:problem:{title.lower().replace(' ', '-')}",
            "title": title,
            "status": status,
            "detail": REFUSALS[status],
            "request_id": request_id,
        }
    )
    head = (
        f"content-type: application/problem+json\r\ncontent-length: {len(body)}\r\n"
        f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
    )
    return STATUS_LINE[status] + head.encode() + body
