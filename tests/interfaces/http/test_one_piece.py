"""An answer's head leaves with the body that follows at once, and alone when none does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from interfaces.http.protocol import OnePiece
from tests.interfaces.http.running import read_all, running

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Sent(asyncio.Transport):
    """Remembers what it was told to write."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def begun() -> tuple[Sent, OnePiece]:
    """Return an answer whose head was just written, and what is sent of it."""
    sent = Sent()
    answer = OnePiece(sent, asyncio.get_running_loop())
    answer.write(HEAD)
    return sent, answer


async def test_a_head_leaves_with_the_body_that_follows_at_once():
    sent, answer = begun()
    answer.write(b"ok")
    await asyncio.sleep(0)
    assert sent.pieces == [HEAD + b"ok"]


async def test_a_head_whose_body_takes_longer_does_not_wait_for_it():
    sent, answer = begun()
    await asyncio.sleep(0)
    assert sent.pieces == [HEAD]
    answer.write(b"o")
    answer.write(b"k")
    assert sent.pieces == [HEAD, b"o", b"k"]


async def test_closing_sends_what_was_kept_and_nothing_follows():
    sent, answer = begun()
    answer.close()
    await asyncio.sleep(0)
    assert (sent.pieces, sent.closed) == ([HEAD], True)


async def test_a_connection_that_closed_meanwhile_is_not_written_to():
    sent, _ = begun()
    sent.close()
    await asyncio.sleep(0)
    assert sent.pieces == []


async def application(scope, receive, send):
    """Answer `/slow` with a body that comes later, `/empty` with none, and anything else at once."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    status = 204 if scope["path"] == "/empty" else 200
    headers = [] if status == 204 else [(b"content-length", b"4")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if scope["path"] == "/slow":
        await asyncio.sleep(0.3)
    await send({"type": "http.response.body", "body": b"" if status == 204 else b"body"})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running(lambda: application) as found:
        yield found


@pytest.mark.parametrize(
    ("method", "path", "body"), [("GET", "/", b"body"), ("HEAD", "/", b""), ("GET", "/empty", b"")]
)
def test_clients_see_whole_answers_one_after_the_other(port, method, path, body):
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as client:
        request = f"{method} {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode()
        client.sendall(request * 2)
        answers = read_all(client).split(b"HTTP/1.1 ")
    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers[1:]] == [body, body]


def test_a_slow_body_does_not_hold_its_head_back(port):
    with closing(socket.create_connection(("127.0.0.1", port), timeout=0.2)) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
        assert client.recv(65536).endswith(b"\r\n\r\n")
        assert read_all(client) == b"body"
