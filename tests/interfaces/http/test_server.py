"""The real server against clients that break HTTP, stall, or ask too much."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from interfaces.http.app import create_app
from tests.interfaces.http.fakes import World
from tests.interfaces.http.running import ImpatientProtocol, exchange, read_all, running

LIVE = b"GET /health/live HTTP/1.1\r\nhost: x\r\n"
SIGN_IN = b"POST /api/ai-advanced/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    world = World(dist=Path(tmp_path_factory.mktemp("dist")))
    with running(lambda: create_app(world.services())) as found:
        yield found


@pytest.fixture(scope="module")
def impatient_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server that waits 0.3 s for a head and for a body."""
    world = World(dist=Path(tmp_path_factory.mktemp("dist")))
    with running(lambda: create_app(world.services(body_timeout_s=0.3)), ImpatientProtocol) as found:
        yield found


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def problem_of(answer: bytes) -> dict:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"x-request-id: " in head
    return json.loads(body)


def test_what_is_not_http_is_a_problem_document(port: int):
    answer = exchange(port, b"\x16\x03\x01 hello\r\n\r\n")

    assert problem_of(answer)["status"] == status_of(answer) == 400


@pytest.mark.parametrize(
    "path", [b"/caf\xc3\xa9", b"/a b", b"/%zz", b"/%ff%fe", b"/%00", b"//", b"/health/live?%ff=%00&a=\xff"]
)
def test_strange_request_targets_never_fail_the_server(port: int, path: bytes):
    answer = exchange(port, b"GET " + path + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")

    assert status_of(answer) in {200, 302, 400, 404, 422}


def test_one_header_too_large_is_431(port: int):
    answer = exchange(port, LIVE + b"x-big: " + b"a" * 70_000 + b"\r\n\r\n")

    assert problem_of(answer)["title"] == "Request Header Fields Too Large"


def test_a_head_that_never_ends_is_cut_off(port: int):
    answer = exchange(port, LIVE + b"x-big: ", *[b"a" * 16_000] * 6)

    assert status_of(answer) == 431


def test_too_many_headers_are_431(port: int):
    answer = exchange(port, LIVE + b"".join(b"x-%d: 1\r\n" % n for n in range(300)) + b"\r\n")

    assert status_of(answer) == 431


def test_a_request_line_too_long_is_431(port: int):
    answer = exchange(port, b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n")

    assert status_of(answer) == 431


def test_a_head_that_stalls_is_408_and_closed(impatient_port: int):
    answer = exchange(impatient_port, LIVE)

    assert problem_of(answer)["status"] == 408


def test_a_connection_that_stays_silent_is_closed_without_a_word(impatient_port: int):
    assert exchange(impatient_port) == b""


def test_a_body_that_stalls_is_408(impatient_port: int):
    answer = exchange(impatient_port, SIGN_IN + b'content-length: 40\r\nconnection: close\r\n\r\n{"api_key"')

    assert problem_of(answer)["detail"] == "the body did not arrive within 0.3 s"


def test_a_body_in_slow_parts_is_understood(port: int):
    head = SIGN_IN + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    answer = exchange(port, head, b'c\r\n{"api_key":"\r\n', b'b\r\nkey-admin"}\r\n0\r\n\r\n', pause_s=0.05)

    assert status_of(answer) == 200


def test_a_body_larger_than_announced_limits_is_413_without_reading_it(port: int):
    answer = exchange(port, SIGN_IN + b"content-length: 99999999\r\nconnection: close\r\n\r\n")

    assert problem_of(answer)["status"] == 413


def test_a_chunked_body_is_counted(port: int):
    head = SIGN_IN + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    answer = exchange(port, head, *[b"10000\r\n" + b"a" * 0x10000 + b"\r\n"] * 17)

    assert status_of(answer) == 413


@pytest.mark.parametrize("length", [b"-1", b"1x", b"99999999999999999999999"])
def test_nonsense_content_lengths_are_refused(port: int, length: bytes):
    answer = exchange(port, SIGN_IN + b"content-length: " + length + b"\r\nconnection: close\r\n\r\n{}")

    assert status_of(answer) in {400, 413}


def test_content_length_beside_chunked_is_refused(port: int):
    smuggled = SIGN_IN + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + LIVE + b"\r\n"

    assert status_of(exchange(port, smuggled)) == 400


def test_pipelined_requests_are_answered_in_order(port: int):
    answer = exchange(port, (LIVE + b"\r\n") * 2 + LIVE + b"connection: close\r\n\r\n")

    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.endswith(b'{"status":"alive","version":"1.2.3"}')


def test_head_answers_without_a_body_and_keeps_the_connection(port: int):
    with closing(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(b"HEAD /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        connection.sendall(LIVE + b"connection: close\r\n\r\n")
        answer = read_all(connection)

    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.count(b'"alive"') == 1


def test_the_client_leaving_early_leaves_the_server_well(port: int):
    with closing(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(SIGN_IN + b"content-length: 400\r\n\r\n{")

    assert status_of(exchange(port, LIVE + b"connection: close\r\n\r\n")) == 200


def test_server_software_is_not_told(port: int):
    answer = exchange(port, LIVE + b"connection: close\r\n\r\n").lower()

    assert b"uvicorn" not in answer
    assert b"\r\nserver:" not in answer
