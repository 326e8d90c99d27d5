"""uvicorn's HTTP protocol with the limits it leaves out: size of a request's head, and time to send it."""

from __future__ import annotations

import asyncio
import time
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


class LimitedProtocol(HttpToolsProtocol):
    """Answers 431 to heads that are too large, 408 to those that take too long, and closes the connection."""

    head_timeout_s: ClassVar[float] = 20.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._heads = 0
        self._parsed_bytes = 0
        self._pending_bytes = 0
        self._head_open = True
        self._head_begun = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._refusal = 400

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock of the first head."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._open_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; it keeps a header until its end, so bytes of an open head are counted here."""
        heads = self._heads
        super().data_received(data)
        if self._head_open and self._heads == heads:
            self._pending_bytes += len(data)
            if self._pending_bytes > LARGEST_HEAD:
                self._refuse(431)

    def on_message_begin(self) -> None:
        """Start counting a head, its clock on a connection that was kept alive, and the request's own."""
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["aios.started"] = time.monotonic()
        self._heads += 1
        self._head_begun = True
        self._parsed_bytes = 0
        if not self._head_open:
            self._open_head()

    def on_url(self, url: bytes) -> None:
        """Take a part of the request line."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        super().on_header(name, value)
        self._count(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        """Stop the clock; the application takes over."""
        self._head_open = self._head_begun = False
        self._stop_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refused with a problem document and close."""
        self._refuse(self._refusal)

    def _count(self, size: int) -> None:
        self._parsed_bytes += size
        if self._parsed_bytes > LARGEST_HEAD or len(self.headers) > MOST_HEADERS:
            self._refusal = 431
            raise HeadRefused

    def _open_head(self) -> None:
        self._pending_bytes, self._head_open = 0, True
        self._stop_timer()
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
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn's annotation leaves out the None
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
