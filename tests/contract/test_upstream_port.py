"""What every implementation of the provider port does, with a provider that is well and one that is not."""

import asyncio
import json
from typing import Any

import pytest

from application.orchestration.upstream import Dialect, FailureKind, UpstreamAnswer, UpstreamFailure
from tests.contract.conftest import Peer, call

DIALECTS: list[Dialect] = ["openai", "anthropic"]
LIMIT = 1 << 20


async def failure_of(peer: Peer, model: str, **options: Any) -> UpstreamFailure:
    """Opens and reads to the end, committed after the first bytes, and hands back what went wrong."""
    with pytest.raises(UpstreamFailure) as caught:
        await exchange(peer, model, **options)
    return caught.value


async def exchange(peer: Peer, model: str = "fake-large", **options: Any) -> bytes:
    """One whole exchange, closed whatever happens."""
    answer = await peer.upstream.open(peer.spec(), call(model, **options))
    try:
        return await (drain(answer) if options.get("stream") else answer.read(LIMIT))
    finally:
        await answer.aclose()


async def drain(answer: UpstreamAnswer, parts: list[bytes] | None = None) -> bytes:
    """All bytes of a stream, also put into `parts` as they come; the first ones count as content."""
    received = [] if parts is None else parts
    async for part in answer.chunks():
        answer.commit()
        received.append(part)
    return b"".join(received)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_json_answer_arrives_whole(peer: Peer, dialect: Dialect) -> None:
    answer = await peer.upstream.open(peer.spec(dialect), call(dialect=dialect))

    body = json.loads(await answer.read(LIMIT))
    await answer.aclose()

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert body["model"] == "fake-large"
    tokens = (
        ("prompt_tokens", "completion_tokens") if dialect == "openai" else ("input_tokens", "output_tokens")
    )
    assert [body["usage"][name] for name in tokens] == [5, 12]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("behaviour", ["fault:ok", "fault:split=3", "fault:crlf+split=1"])
async def test_stream_arrives_byte_for_byte(peer: Peer, dialect: Dialect, behaviour: str) -> None:
    answer = await peer.upstream.open(peer.spec(dialect), call(behaviour, dialect=dialect, stream=True))

    received = await drain(answer)
    await answer.aclose()

    newline = b"\r\n" if "crlf" in behaviour else b"\n"
    ending = b"data: [DONE]" if dialect == "openai" else b'data: {"type":"message_stop"}'
    assert received.endswith(ending + newline * 2)
    assert b"".join(received.split(newline)).count(b"data: ") == received.count(newline * 2)


async def test_stream_begins_before_it_ends(peer: Peer) -> None:
    """Given a provider that stalls after two chunks, when reading, then those two have arrived."""
    answer = await peer.upstream.open(peer.spec(), call("fault:stall=2", stream=True))

    received = b""
    async for part in answer.chunks():
        received += part
        if b"quick" in received:
            break
    await answer.aclose()

    assert b"brown" not in received


async def test_caller_headers_are_forwarded(peer: Peer) -> None:
    given = call(dialect="anthropic")
    chosen = {"anthropic-beta": "tools-2026", "anthropic-version": "2024-01-01"}
    given = type(given)(path=given.path, body=given.body, deadline=given.deadline, headers=chosen)

    answer = await peer.upstream.open(peer.spec("anthropic"), given)
    await answer.read(LIMIT)
    await answer.aclose()

    seen = peer.provider.requests[0].headers
    assert (seen["anthropic-beta"], seen["anthropic-version"]) == ("tools-2026", "2024-01-01")


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ("fault:reset", FailureKind.RESET),
        ("fault:close", FailureKind.RESET),
        ("fault:not-http", FailureKind.MALFORMED),
        ("fault:html", FailureKind.MALFORMED),
        ("fault:huge-header", FailureKind.TOO_LARGE),
        ("fault:long=300000", FailureKind.TOO_LARGE),
        ("fault:cut", FailureKind.CUT),
        ("fault:cut-reset", FailureKind.CUT),
    ],
)
async def test_failure_kinds_of_json_answers(peer: Peer, behaviour: str, kind: FailureKind) -> None:
    assert (await failure_of(peer, behaviour, max_tokens=10**9)).kind is kind


@pytest.mark.parametrize("behaviour", ["fault:cut=2", "fault:cut-reset=2"])
async def test_cut_stream_fails_after_its_last_bytes(peer: Peer, behaviour: str) -> None:
    answer = await peer.upstream.open(peer.spec(), call(behaviour, stream=True))
    parts: list[bytes] = []

    with pytest.raises(UpstreamFailure) as caught:
        await drain(answer, parts)
    await answer.aclose()

    assert caught.value.kind is FailureKind.CUT
    assert b"quick" in b"".join(parts)
    assert b"brown" not in b"".join(parts)


async def test_stream_without_its_closing_event_ends_cleanly(peer: Peer) -> None:
    """The port knows bytes, not events: whether `[DONE]` came is for the gateway to see."""
    answer = await peer.upstream.open(peer.spec(), call("fault:no-done", stream=True))

    received = await drain(answer)
    await answer.aclose()

    assert b"runs" in received
    assert b"[DONE]" not in received


async def test_error_event_is_passed_through(peer: Peer) -> None:
    answer = await peer.upstream.open(
        peer.spec("anthropic"), call("fault:error-event=2", dialect="anthropic", stream=True)
    )

    received = await drain(answer)
    await answer.aclose()

    assert b"event: error" in received
    assert b"message_stop" not in received


@pytest.mark.parametrize(
    ("behaviour", "stream", "kind"),
    [
        ("fault:hang", False, FailureKind.TIMEOUT_FIRST_BYTE),
        ("fault:hang", True, FailureKind.TIMEOUT_FIRST_BYTE),
        ("fault:slow-headers=30", True, FailureKind.TIMEOUT_FIRST_BYTE),
        ("fault:hang-body", False, FailureKind.TIMEOUT_FIRST_BYTE),
        ("fault:hang-body", True, FailureKind.TIMEOUT_FIRST_BYTE),
        ("fault:stall", False, FailureKind.TIMEOUT_FIRST_BYTE),
    ],
)
async def test_deadline_ends_a_silent_exchange(
    peer: Peer, behaviour: str, stream: bool, kind: FailureKind
) -> None:
    failure = await failure_of(peer, behaviour, stream=stream, within_s=0.2)

    assert failure.kind is kind
    await asyncio.wait_for(peer.provider.requests[0].closed.wait(), 1)


async def test_deadline_holds_until_content_is_committed(peer: Peer) -> None:
    """Given a provider that sends the role chunk and then thinks, then the deadline still ends it."""
    answer = await peer.upstream.open(peer.spec(), call("fault:slow=30", stream=True, within_s=0.2))

    with pytest.raises(UpstreamFailure) as caught:
        async for _ in answer.chunks():
            pass
    await answer.aclose()

    assert caught.value.kind is FailureKind.TIMEOUT_FIRST_BYTE


async def test_idle_gap_ends_a_committed_stream(peer: Peer) -> None:
    failure = await failure_of(peer, "fault:stall=2", stream=True, within_s=30, idle_s=0.2)

    assert failure.kind is FailureKind.TIMEOUT_IDLE
    await asyncio.wait_for(peer.provider.requests[0].closed.wait(), 1)


async def test_committed_stream_outlives_its_deadline(peer: Peer) -> None:
    answer = await peer.upstream.open(
        peer.spec(), call("fault:gap=0.05", stream=True, within_s=0.3, idle_s=5)
    )

    assert b"[DONE]" in await drain(answer)
    await answer.aclose()


async def test_passed_deadline_calls_nobody(peer: Peer) -> None:
    failure = await failure_of(peer, "fake-large", within_s=-1)

    assert failure.kind is FailureKind.TIMEOUT_FIRST_BYTE
    assert peer.provider.requests == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 529])
@pytest.mark.parametrize("stream", [False, True])
async def test_refusals_carry_status_and_the_providers_own_body(
    peer: Peer, status: int, stream: bool
) -> None:
    failure = await failure_of(peer, f"fault:{status}=7", stream=stream)

    assert (failure.kind, failure.status) == (FailureKind.STATUS, status)
    assert str(status) in json.loads(failure.body)["error"]["message"]
    assert failure.retry_after_s == 7.0
    assert failure.headers["x-request-id"] == "req_fake"


async def test_context_length_error_keeps_its_code(peer: Peer) -> None:
    failure = await failure_of(peer, "fault:context-length")

    assert failure.status == 400
    assert json.loads(failure.body)["error"]["code"] == "context_length_exceeded"


async def test_redirect_is_a_failure_and_not_followed(peer: Peer) -> None:
    failure = await failure_of(peer, "fault:redirect")

    assert failure.status == 307
    assert len(peer.provider.requests) == 1


async def test_finished_answers_share_a_connection(peer: Peer) -> None:
    for stream in (False, True, False):
        answer = await peer.upstream.open(peer.spec(), call(stream=stream))
        await (drain(answer) if stream else answer.read(LIMIT))
        await answer.aclose()

    assert [request.connection for request in peer.provider.requests] == [1, 1, 1]


async def test_refusal_keeps_the_connection(peer: Peer) -> None:
    await failure_of(peer, "fault:429")
    answer = await peer.upstream.open(peer.spec(), call())
    await answer.read(LIMIT)
    await answer.aclose()

    if hasattr(peer.provider, "connections"):
        assert peer.provider.connections == 1
    assert len(peer.provider.requests) == 2


async def test_closing_an_unfinished_answer_is_seen_upstream_at_once(peer: Peer) -> None:
    answer = await peer.upstream.open(peer.spec(), call("fault:gap=0.2", stream=True))
    async for _ in answer.chunks():
        break

    await answer.aclose()

    await asyncio.wait_for(peer.provider.requests[0].closed.wait(), 1)


@pytest.mark.parametrize("behaviour", ["fault:hang", "fault:stall=2"])
async def test_cancelled_exchange_is_seen_upstream_at_once(peer: Peer, behaviour: str) -> None:
    """Given a request under way, when its task is cancelled, then the provider sees the close."""
    task = asyncio.ensure_future(exchange(peer, behaviour, stream=True, within_s=60))
    await asyncio.sleep(0.2)
    task.cancel()

    await asyncio.wait_for(peer.provider.requests[0].closed.wait(), 1)
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "behaviour", ["fault:401", "fault:reset", "fault:not-http", "fault:cut", "fault:huge-header"]
)
async def test_no_secret_in_what_is_logged(peer: Peer, behaviour: str) -> None:
    failure = await failure_of(peer, behaviour)

    told = f"{failure!r} {failure} {failure.detail} {failure.args} {failure.__context__!r} {peer.spec()!r}"
    assert "sk-very-secret" not in told
    assert "acme" in str(failure)
    assert failure.latency_s >= 0
