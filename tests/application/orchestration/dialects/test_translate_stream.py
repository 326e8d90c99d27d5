"""What holds for translated streams in both directions: their end, failures, silence, nonsense."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.orchestration.dialects.model import ChatRequest, Dialect, MalformedAnswer
from application.orchestration.dialects.sse import Frame
from application.orchestration.dialects.translate_stream import stream_translator
from tests.application.orchestration.dialects.bodies import (
    MESSAGE_STOP,
    PING,
    anthropic_stream,
    chat,
    message_delta,
    message_start,
    messages,
    openai_stream,
)
from tests.application.orchestration.dialects.translation import translate, translator


def test_the_same_dialect_needs_no_translator() -> None:
    assert stream_translator(chat(), "openai", answer_id="a", request_id="r", created=1) is None


@pytest.mark.parametrize(
    ("request_", "upstream", "stream", "closing"),
    [
        (messages(), "openai", openai_stream({"content": "x"}), False),
        (messages(), "openai", openai_stream({"content": "x"}, {"finish_reason": "stop"}), True),
        (messages(), "openai", openai_stream("[DONE]"), True),
        (chat(stream=True), "anthropic", anthropic_stream(message_start()), False),
        (chat(stream=True), "anthropic", anthropic_stream(message_start(), message_delta("end_turn")), True),
    ],
)
def test_only_an_answer_that_reached_its_end_is_closed(
    request_: ChatRequest, upstream: Dialect, stream: bytes, closing: bool
) -> None:
    last = translate(request_, upstream, stream)[-1]

    assert (last == "[DONE]" or last.get("type") == "message_stop") == closing


def test_a_failure_in_the_stream_ends_it_in_the_callers_words() -> None:
    error = {"error": {"message": "boom", "type": "server_error"}}
    there = translate(messages(), "openai", openai_stream({"content": "x"}, error, "[DONE]"))
    back = translate(
        chat(stream=True),
        "anthropic",
        anthropic_stream(
            message_start(),
            {"type": "error", "error": {"type": "overloaded_error", "message": "boom"}},
            MESSAGE_STOP,
        ),
    )

    assert there[-1]["type"] == "error"
    assert there[-1]["error"]["message"] == back[-1]["error"]["message"] == "boom"


def test_comments_keep_the_callers_connection_alive_too() -> None:
    translation = translator(messages(), "openai")
    comment = Frame(b": keep-alive\n\n")

    assert translation.feed(comment) == b""
    translation.feed(Frame(openai_stream({"content": "x"})))
    assert b"event: ping" in translation.feed(comment)
    assert translator(chat(stream=True), "anthropic").feed(Frame(anthropic_stream(PING))) == b": ping\n\n"


NOISE = st.recursive(
    st.none() | st.integers(-1, 2) | st.sampled_from(["stop", "text", "x", ""]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "choices",
                        "delta",
                        "usage",
                        "content",
                        "tool_calls",
                        "function",
                        "name",
                        "index",
                        "id",
                    ),
                    *("finish_reason", "message", "content_block", "error", "partial_json", "stop_details"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
)
EVENT_TYPE = st.sampled_from(
    [f"content_block_{kind}" for kind in ("start", "delta", "stop")]
    + ["message_start", "message_delta", "message_stop", "error", "ping"]
)


@given(st.lists(st.tuples(EVENT_TYPE, NOISE), max_size=4))
def test_no_upstream_event_breaks_a_translator(events: list[tuple[str, Any]]) -> None:
    pairs: list[tuple[ChatRequest, Dialect]] = [(chat(stream=True), "anthropic"), (messages(), "openai")]
    for request, upstream in pairs:
        translation = translator(request, upstream)
        written: object
        try:
            for kind, noise in events:
                members = noise if isinstance(noise, dict) else {"choices": noise}
                data = json.dumps({**members, "type": kind}).encode()
                written = translation.feed(Frame(b"data: " + data + b"\n\n"))
            written = translation.finish()
        except MalformedAnswer as error:
            written = str(error).encode()
        assert isinstance(written, bytes)
