"""The server as a process: it ends gently, once told so, whoever tells it and how often."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from interfaces.http.server import listen, serve
from tests.interfaces.http.running import read_all

PATIENCE_S = 20
GET = b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n"


@contextmanager
def served(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run the server and yield its process and port; it is gone afterwards."""
    command = [sys.executable, "-m", "tests.interfaces.http.served", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            assert process.stdout.readline() == "up\n"
            yield process, port
        finally:
            process.kill()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def ask(port: int, path: bytes) -> bytes:
    with closing(connect(port)) as connection:
        connection.sendall(GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") % path)
        return read_all(connection)


@pytest.mark.parametrize("arguments", [(), ("fd",)])
def test_it_serves_on_a_socket_of_its_own_or_an_inherited_one(arguments):
    with served(*arguments) as (_, port):
        assert b"200 OK" in ask(port, b"/health/live")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_requests_finish_then_ends_with_status_0(number):
    with served() as (process, port), closing(connect(port)) as connection:
        connection.sendall(GET % b"/slow")
        time.sleep(0.3)  # until the request has arrived

        process.send_signal(number)
        process.send_signal(number)
        answer = read_all_slowly(connection)

        assert answer.endswith(b"done")
        assert process.wait(PATIENCE_S) == 0
        assert process.stdout is not None
        assert process.stdout.read().endswith("down\n")


def test_a_stopping_server_takes_no_new_connection():
    with served() as (process, port), closing(connect(port)) as connection:
        connection.sendall(GET % b"/slow")
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)

        with pytest.raises(ConnectionRefusedError):
            connect(port)


def test_idle_connections_do_not_hold_it_up():
    with served() as (process, port), closing(connect(port)) as connection:
        connection.sendall(GET % b"/health/live")
        connection.recv(65536)

        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_S) == 0


def test_a_port_in_use_is_told():
    with closing(listen("127.0.0.1", 0)) as first, pytest.raises(OSError, match="Address already in use"):
        listen("127.0.0.1", first.getsockname()[1])


def test_it_needs_one_listening_socket():
    with pytest.raises(ValueError, match="either as `sock` or as `fd`"):
        serve(lambda: None)


def read_all_slowly(connection: socket.socket) -> bytes:
    connection.settimeout(PATIENCE_S)
    received = b""
    while data := connection.recv(65536):
        received += data
    return received
