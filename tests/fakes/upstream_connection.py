"""One connection of the fake provider: frames requests itself, so that every fault is exact to the byte."""

import asyncio
import socket
import struct
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, cast

from tests.fakes.upstream_plan import Plan

if TYPE_CHECKING:
    from tests.fakes.upstream import FakeUpstream, RecordedRequest


class Head(NamedTuple):
    """Request line and headers, names in lower case."""

    method: str
    path: str
    headers: dict[str, str]


class Connection(asyncio.Protocol):
    """Answers one request after the other; knows at once when the client leaves."""

    def __init__(self, owner: "FakeUpstream") -> None:
        self._owner = owner
        self._buffer = bytearray()
        self._serving: asyncio.Task[None] | None = None
        self._current: RecordedRequest | None = None
        self._closing = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._number = self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._serving is None:
            self._next()

    def eof_received(self) -> None:
        self._client_left()

    def connection_lost(self, exc: Exception | None) -> None:
        self._client_left()
        self._owner.lost(self)
        if self._serving is not None:
            self._serving.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def reset(self) -> None:
        """Sends RST."""
        self._closing = True
        sock = self._transport.get_extra_info("socket")
        if sock is not None and self._transport.get_extra_info("sslcontext") is None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def close_if_idle(self) -> None:
        """Sends FIN unless a request is being served."""
        if self._serving is None:
            self._close()

    def _close(self) -> None:
        self._closing = True
        self._transport.close()

    def _client_left(self) -> None:
        if self._current is not None and not self._closing:
            self._current.mark_closed()

    def _next(self) -> None:
        """Takes the next complete request from the buffer, if there is one."""
        if self._buffer.startswith(b"\x16"):  # a TLS handshake
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            return self._close()
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = _head(bytes(self._buffer[:end]))
        length = int(head.headers.get("content-length", "0"))
        if len(self._buffer) < end + 4 + length:
            return None
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        self._serving = asyncio.ensure_future(self._serve(head, body))
        self._serving.add_done_callback(self._served)
        return None

    def _served(self, task: asyncio.Task[None]) -> None:
        self._serving = None
        if not task.cancelled():
            task.result()
            if not self._transport.is_closing():
                self._next()

    async def _serve(self, head: Head, body: bytes) -> None:
        self._current, plan = await self._owner.received(head, body, self._number)
        if await self._stopped_before(plan):
            return
        await asyncio.sleep(plan.behaviour.delay_s)
        if plan.behaviour.content_type == "raw":
            self._transport.write(plan.behaviour.body or b"")
            self._close()
        else:
            self._transport.write(_status_line(plan))
            await self._send_body(plan)
            await self._end(plan)

    async def _stopped_before(self, plan: Plan) -> bool:
        if plan.behaviour.before == "hang":
            await asyncio.Event().wait()  # connection_lost cancels
        if plan.behaviour.before == "reset":
            self.reset()
        if plan.behaviour.before == "close":
            self._close()
        return bool(plan.behaviour.before)

    async def _send_body(self, plan: Plan) -> None:
        for step in plan.steps:
            await asyncio.sleep(step.pause_s)
            await self._writable.wait()
            chunked = plan.length is None
            self._transport.write(b"%x\r\n%s\r\n" % (len(step.data), step.data) if chunked else step.data)

    async def _end(self, plan: Plan) -> None:
        if plan.ending == "stall":
            await asyncio.Event().wait()
        if plan.ending == "reset":
            await asyncio.sleep(0.02)  # RST overtakes what the client has not read yet
            self.reset()
        elif plan.ending == "cut":
            self._close()
        else:
            if plan.length is None:
                self._transport.write(b"0\r\n\r\n")
            if self._current is not None:
                self._current.answered.set()
            if plan.behaviour.close:
                self._close()


def _head(data: bytes) -> Head:
    line, *fields = data.decode("latin-1").split("\r\n")
    method, path, _ = line.split(" ", 2)
    pairs = (field.partition(":") for field in fields)
    return Head(method, path, {name.lower(): value.strip() for name, _, value in pairs})


def _status_line(plan: Plan) -> bytes:
    try:
        phrase = HTTPStatus(plan.status).phrase
    except ValueError:
        phrase = "Overloaded"
    length = "transfer-encoding: chunked" if plan.length is None else f"content-length: {plan.length}"
    fields = [f"{name}: {value}" for name, value in plan.headers.items()]
    return "\r\n".join([f"HTTP/1.1 {plan.status} {phrase}", length, *fields, "", ""]).encode("latin-1")
