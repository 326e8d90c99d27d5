"""The application under the real server, on a free loopback port, for tests that speak HTTP by hand."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from interfaces.http.protocol import LimitedProtocol
from interfaces.http.server import Server, configure, listen

PATIENCE_S = 10


class ImpatientProtocol(LimitedProtocol):
    """Waits less long for a head, to keep tests short."""

    head_timeout_s = 0.3


@contextmanager
def running(factory: Callable[[], Any], protocol: type[LimitedProtocol] = LimitedProtocol) -> Iterator[int]:
    """Serve in a thread and yield the port."""
    sock = listen("127.0.0.1", 0)
    server = Server(configure(factory, protocol))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    give_up_at = time.monotonic() + PATIENCE_S
    while not server.started and time.monotonic() < give_up_at:
        time.sleep(0.01)
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)


def exchange(port: int, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Send bytes, with a pause between the parts, and return all that comes back until the server closes."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)) as connection:
        for number, part in enumerate(parts):
            if number:
                time.sleep(pause_s)
            connection.sendall(part)
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes, or is silent for a second."""
    connection.settimeout(1.0)
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except (TimeoutError, ConnectionResetError):
        pass
    return received
