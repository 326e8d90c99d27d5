"""What only the real adapter can show: sockets, names, certificates, headers on the wire."""

import asyncio
import json
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from application.orchestration.upstream import FailureKind, Secret, UpstreamCall
from infrastructure.providers.http import HttpUpstream
from tests.contract.certificates import self_signed
from tests.contract.conftest import KEY, call
from tests.contract.exchanges import completed, failure, spec, text_of
from tests.fakes.upstream import FakeUpstream
from tests.fakes.upstream_behaviour import Behaviour


async def test_nothing_listens_there(http: HttpUpstream, server: FakeUpstream) -> None:
    await server.stop()

    refused = await failure(http, spec(server.openai_base_url))

    assert refused.kind is FailureKind.REFUSED
    assert "acme" in refused.detail


async def test_name_does_not_resolve(http: HttpUpstream) -> None:
    refused = await failure(http, spec("http://no-such-host.invalid/v1"))

    assert refused.kind is FailureKind.DNS


async def test_plain_http_where_tls_is_spoken(http: HttpUpstream, server: FakeUpstream) -> None:
    refused = await failure(http, spec(server.openai_base_url.replace("http://", "https://")))

    assert refused.kind is FailureKind.TLS


async def test_certificate_nobody_signed(http: HttpUpstream, tmp_path: Path) -> None:
    async with FakeUpstream(tls=self_signed(tmp_path)) as up:
        refused = await failure(http, spec(up.openai_base_url))

    assert refused.kind is FailureKind.TLS
    assert up.requests == []


async def test_connection_that_is_never_accepted(http: HttpUpstream) -> None:
    """Given a listener whose queue is full, then the connect timeout ends the wait, not the deadline."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())

        late = await failure(http, spec(f"http://127.0.0.1:{listener.getsockname()[1]}"), call(connect_s=0.2))

    assert late.kind is FailureKind.TIMEOUT_CONNECT


async def test_full_pool_counts_as_connecting(http: HttpUpstream, server: FakeUpstream) -> None:
    provider = spec(server.openai_base_url, max_connections=1)
    first = await http.open(provider, call("fault:stall", stream=True))

    late = await failure(http, provider, call(connect_s=0.1))
    await first.aclose()

    assert late.kind is FailureKind.TIMEOUT_CONNECT
    assert (await completed(http, provider))["usage"]["total_tokens"] == 17


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("openai", {"authorization": f"Bearer {KEY}"}),
        ("anthropic", {"x-api-key": KEY, "anthropic-version": "2023-06-01"}),
    ],
)
async def test_credentials_go_where_the_dialect_wants_them(
    http: HttpUpstream, server: FakeUpstream, dialect: str, expected: dict[str, str]
) -> None:
    base_url = server.openai_base_url if dialect == "openai" else server.anthropic_base_url
    provider = spec(base_url, dialect=dialect, headers={"X-Team": "blue"})
    given = call(dialect=dialect)  # type: ignore[arg-type]  # a parameter of the test
    forged = {"authorization": "Bearer forged", "x-api-key": "forged", "openai-organization": "org-1"}
    given = UpstreamCall(path=given.path, body=given.body, deadline=given.deadline, headers=forged)

    await completed(http, provider, given)

    seen = server.requests[0].headers
    assert expected.items() <= seen.items()
    assert (seen["x-team"], seen["openai-organization"]) == ("blue", "org-1")
    assert (seen["accept-encoding"], seen["content-type"]) == ("identity", "application/json")
    assert seen["content-length"] == str(len(given.body))
    assert "forged" not in json.dumps({name: seen[name] for name in expected})
    assert not {"cookie", "proxy-authorization"} & seen.keys()


async def test_environment_proxies_are_ignored(
    http: HttpUpstream, server: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    assert (await completed(http, spec(server.openai_base_url)))["model"] == "fake-large"


async def test_slow_reader_is_no_idle_provider(http: HttpUpstream, server: FakeUpstream) -> None:
    """Given an idle timeout shorter than the reader's own pauses, then a steady provider is not blamed."""
    answer = await http.open(spec(server.openai_base_url), call("fault:gap=0.02", stream=True, idle_s=0.1))

    received = b""
    async for part in answer.chunks():
        answer.commit()
        received += part
        if received.count(b"data:") < 4:
            await asyncio.sleep(0.15)
    await answer.aclose()

    assert b"[DONE]" in received


async def test_long_answer_and_large_request_pass(http: HttpUpstream, server: FakeUpstream) -> None:
    given = call("fault:long=60000", max_tokens=10**6, stream=True)
    body = given.body.replace(b"say one", b"say " + b"x" * 3_000_000)
    large = UpstreamCall(path=given.path, body=body, stream=True, deadline=time.monotonic() + 30)

    answer = await http.open(spec(server.openai_base_url), large)
    received = await text_of(answer)
    await answer.aclose()

    assert received.count(b"word") == 60_000
    assert server.requests[0].body == body


async def test_error_body_is_bounded_and_hides_the_key(http: HttpUpstream, server: FakeUpstream) -> None:
    server.script(Behaviour(status=401, message=f"Incorrect API key provided: {KEY}. " + "x" * 100_000))

    refused = await failure(http, spec(server.openai_base_url))

    assert KEY.encode() not in refused.body
    assert b"Incorrect API key provided: ***" in refused.body
    assert len(refused.body) <= 65_536


async def test_error_body_that_never_comes_does_not_hold_the_failure(
    http: HttpUpstream, server: FakeUpstream
) -> None:
    refused = await failure(http, spec(server.openai_base_url), call("fault:500+hang-body", within_s=0.3))

    assert (refused.kind, refused.status, refused.body) == (FailureKind.STATUS, 500, b"")


@pytest.mark.parametrize("key", ["sk-with\nnewline", "sk-ünïcode", " sk-blank"])
async def test_key_that_no_header_can_carry_is_named_not_shown(
    http: HttpUpstream, server: FakeUpstream, key: str
) -> None:
    refused = await failure(http, spec(server.openai_base_url, credential=Secret(key)))

    assert refused.kind is FailureKind.MALFORMED
    assert "acme" in refused.detail
    assert key.strip() not in refused.detail
    assert server.requests == []


async def test_changed_key_is_used_at_once(http: HttpUpstream, server: FakeUpstream) -> None:
    server.key = "sk-new"
    assert (await failure(http, spec(server.openai_base_url))).status == 401

    await completed(http, spec(server.openai_base_url, credential=Secret("sk-new")))

    assert [request.connection for request in server.requests] == [1, 1]
