"""What a stream tells while it passes: first content, usage, the end, and failures inside it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.orchestration.dialects.hide_usage import without_usage
from application.orchestration.dialects.model import Dialect, TokenUsage
from application.orchestration.dialects.scan import Kind, StreamScanner
from application.orchestration.dialects.sse import Frame, SseReader
from tests.application.orchestration.dialects.bodies import (
    MESSAGE_STOP,
    PING,
    anthropic_stream,
    block_delta,
    block_start,
    block_stop,
    message_delta,
    message_start,
    openai_stream,
    usage_chunk,
)


def frames(stream: bytes) -> list[Frame]:
    return SseReader().feed(stream)


def scan(dialect: Dialect, stream: bytes) -> tuple[StreamScanner, list[Kind]]:
    scanner = StreamScanner(dialect, collect_text=True)
    return scanner, [scanner.scan(frame) for frame in frames(stream)]


def test_an_openai_stream() -> None:
    scanner, kinds = scan(
        "openai",
        openai_stream(
            {"role": "assistant", "content": ""},
            {"content": "Hel"},
            {"content": "lo"},
            {"finish_reason": "stop"},
            usage_chunk(prompt_tokens=3, completion_tokens=2, total_tokens=5),
            "[DONE]",
        )
        + b": comment\n\n",
    )

    assert kinds == ["preamble", "content", "content", "finish", "usage", "terminal", "other"]
    assert scanner.usage == TokenUsage(input_tokens=3, output_tokens=2)
    assert (scanner.finish_reason, scanner.collected_text) == ("stop", "Hello")
    assert scanner.content_seen
    assert scanner.terminated


def test_an_anthropic_stream() -> None:
    scanner, kinds = scan(
        "anthropic",
        anthropic_stream(
            message_start(input_tokens=7, cache_read_input_tokens=2),
            block_start(0, type="text", text=""),
            PING,
            block_delta(0, type="text_delta", text="Hello"),
            block_stop(0),
            message_delta("end_turn", output_tokens=9),
            MESSAGE_STOP,
        ),
    )

    assert kinds == ["preamble", "other", "other", "content", "other", "finish", "terminal"]
    assert scanner.usage == TokenUsage(input_tokens=9, cached_input_tokens=2, output_tokens=9)
    assert (scanner.finish_reason, scanner.collected_text) == ("end_turn", "Hello")


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "x"},
        {"role": "assistant", "content": "x"},
        {"refusal": "no"},
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
        {"function_call": {"name": "f"}},
        {"content": [{"type": "text", "text": "x"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "x"}]}]},
    ],
)
def test_every_form_of_openai_output_is_content(delta: dict[str, Any]) -> None:
    scanner, kinds = scan("openai", openai_stream(delta))

    assert kinds == [Kind.CONTENT]
    assert scanner.content_seen


@pytest.mark.parametrize(
    "delta",
    [{}, {"content": ""}, {"content": None}, {"refusal": None}, {"tool_calls": []}, {"reasoning": ""}],
)
def test_empty_output_is_not_content(delta: dict[str, Any]) -> None:
    scanner, kinds = scan("openai", openai_stream(delta))

    assert kinds == [Kind.OTHER]
    assert not scanner.content_seen


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (block_start(0, type="tool_use", id="t", name="f", input={}), Kind.CONTENT),
        (block_start(0, type="redacted_thinking", data="x"), Kind.CONTENT),
        (block_start(0, type="thinking", thinking="", signature=""), Kind.OTHER),
        (block_start(0, type="text", text="x"), Kind.CONTENT),
        (block_delta(0, type="thinking_delta", thinking="hm"), Kind.CONTENT),
        (block_delta(0, type="thinking_delta", thinking=""), Kind.OTHER),
        (block_delta(0, type="input_json_delta", partial_json="{"), Kind.CONTENT),
        (block_delta(0, type="input_json_delta", partial_json=""), Kind.OTHER),
        (block_delta(0, type="signature_delta", signature="s"), Kind.OTHER),
        ({"type": "future_event"}, Kind.OTHER),
    ],
)
def test_anthropic_output(event: dict[str, Any], kind: Kind) -> None:
    assert scan("anthropic", anthropic_stream(event))[1] == [kind]


def test_usage_beside_content_is_taken_and_the_last_report_wins() -> None:
    chunk = {"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}
    scanner, kinds = scan(
        "openai",
        openai_stream(
            {"choices": [chunk], "usage": {"prompt_tokens": 1, "completion_tokens": 9}},
            usage_chunk(prompt_tokens=4, completion_tokens=0, total_tokens=4),
        ),
    )

    assert kinds == [Kind.CONTENT, Kind.USAGE]
    assert scanner.finish_reason == "stop"
    assert scanner.usage == TokenUsage(input_tokens=4, output_tokens=0)


def test_a_null_usage_and_an_empty_first_chunk_are_neither_usage_nor_content() -> None:
    _, kinds = scan("openai", openai_stream({"choices": [], "usage": None, "prompt_filter_results": []}))

    assert kinds == [Kind.OTHER]


@pytest.mark.parametrize(
    ("dialect", "stream", "message"),
    [
        ("openai", b'data: {"error":{"message":"boom","code":500}}\n\n', "boom"),
        ("openai", b'data: {"error":"boom"}\n\n', "boom"),
        ("openai", b'event: error\ndata: {"message":"boom"}\n\n', "boom"),
        ("anthropic", b'event: error\ndata: {"type":"error","error":{"message":"boom"}}\n\n', "boom"),
        ("anthropic", b'event: error\ndata: {"message":"boom"}\n\n', "boom"),
    ],
)
def test_a_failure_inside_the_stream_is_seen(dialect: Dialect, stream: bytes, message: str) -> None:
    scanner, kinds = scan(dialect, stream)

    assert kinds == [Kind.ERROR]
    assert scanner.error is not None
    assert scanner.error["message"] == message


def test_the_word_error_in_an_answer_is_no_failure() -> None:
    _, kinds = scan("openai", openai_stream({"content": 'say "error" and "usage"'}, {"content": "error"}))

    assert kinds == [Kind.CONTENT, Kind.CONTENT]


def test_a_cut_stream_can_be_estimated() -> None:
    scanner, _ = scan(
        "openai",
        openai_stream(
            {"content": "a" * 40},
            {"content": "漢字"},
            {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "x" * 39}}]},
        ),
    )

    assert scanner.estimated_output_tokens == 20 + 2
    assert scanner.output_bytes == 40 + 6 + 40


def test_text_is_not_kept_unless_asked_for() -> None:
    scanner = StreamScanner("openai")
    for frame in frames(openai_stream({"content": "secret"})):
        scanner.scan(frame)

    assert scanner.collected_text == ""


@given(st.binary(max_size=80) | st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(
        st.sampled_from(["choices", "delta", "usage", "error", "type", "content", "message", "tool_calls"]),
        inner,
        max_size=4,
    ),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_no_frame_breaks_the_scanner(data: bytes) -> None:
    for dialect in ("openai", "anthropic"):
        assert StreamScanner(dialect).scan(Frame(b"data: " + data + b"\n\n")) in Kind


def test_usage_nobody_asked_for_is_taken_out_byte_for_byte() -> None:
    delta = b'{"content":"a \\"usage\\":null b"}'
    content = b'data: {"id":"1","choices":[{"index":0,"delta":' + delta + b'}],"usage":null}\n\n'
    stream = content + openai_stream(usage_chunk(prompt_tokens=1, completion_tokens=1), "[DONE]")
    scanner = StreamScanner("openai")

    shown = b"".join(without_usage(frame, scanner.scan(frame)) for frame in frames(stream))

    assert shown == content.replace(b',"usage":null}\n', b"}\n") + b"data: [DONE]\n\n"
    assert scanner.usage is not None


def test_usage_beside_a_finish_reason_stays() -> None:
    stream = openai_stream(
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}}
    )
    [frame] = frames(stream)

    assert without_usage(frame, StreamScanner("openai").scan(frame)) == stream
