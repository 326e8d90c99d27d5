"""Errors in the caller's words, read back by the official SDKs' own rules."""

from __future__ import annotations

import json
from typing import Any

import pytest

from application.orchestration.dialects.errors import (
    error_body,
    error_message,
    error_type,
    is_context_length_error,
    stream_error,
    translate_error,
)
from application.orchestration.dialects.model import Dialect, TokenUsage


@pytest.mark.parametrize(
    ("status", "anthropic", "openai"),
    [
        (400, "invalid_request_error", "invalid_request_error"),
        (401, "authentication_error", "authentication_error"),
        (402, "billing_error", "invalid_request_error"),
        (403, "permission_error", "permission_error"),
        (404, "not_found_error", "not_found_error"),
        (409, "conflict_error", "invalid_request_error"),
        (413, "request_too_large", "invalid_request_error"),
        (422, "invalid_request_error", "invalid_request_error"),
        (429, "rate_limit_error", "rate_limit_error"),
        (500, "api_error", "server_error"),
        (502, "api_error", "server_error"),
        (503, "overloaded_error", "server_error"),
        (504, "timeout_error", "server_error"),
        (529, "overloaded_error", "server_error"),
    ],
)
def test_each_status_has_its_type(status: int, anthropic: str, openai: str) -> None:
    assert error_type("anthropic", status) == anthropic
    assert error_type("openai", status) == openai


def test_an_openai_error_body() -> None:
    body = error_body(
        "openai", status=429, message="m", code="quota_exceeded", request_id="r", extra={"remaining": 3}
    )

    assert json.loads(body) == {
        "error": {
            "message": "m",
            "type": "rate_limit_error",
            "param": None,
            "code": "quota_exceeded",
            "remaining": 3,
            "request_id": "r",
        }
    }


def test_an_anthropic_error_body() -> None:
    body = error_body("anthropic", status=400, message="m", code="invalid", param="/model", request_id="r")

    assert json.loads(body) == {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "message": "m",
            "details": {"error_code": "invalid", "param": "/model"},
        },
        "request_id": "r",
    }


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_broken_stream_says_so_with_usage_and_without_closing(dialect: Dialect) -> None:
    frame = stream_error(
        dialect, message="cut", request_id="r", usage=TokenUsage(input_tokens=3, output_tokens=1)
    )

    assert frame.endswith(b"\n\n")
    assert frame.startswith(b"event: error\ndata: ") == (dialect == "anthropic")
    assert b"upstream_stream_interrupted" in frame
    assert b"[DONE]" not in frame
    assert b"message_stop" not in frame
    body = json.loads(frame.partition(b"data: ")[2])
    shown = body["error"] if dialect == "openai" else body["error"]["details"]
    assert set(shown["usage"].values()) >= {3, 1}


OPENAI_ERROR = {"error": {"message": "bad", "type": "invalid_request_error", "param": "n", "code": "c"}}
ANTHROPIC_ERROR = {
    "type": "error",
    "error": {"type": "overloaded_error", "message": "busy"},
    "request_id": "u",
}


def translated(upstream: Dialect, caller: Dialect, status: int, body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return json.loads(translate_error(upstream, caller, status, raw, request_id="ours"))


def test_an_error_of_the_same_dialect_passes() -> None:
    assert translated("openai", "openai", 400, OPENAI_ERROR) == OPENAI_ERROR
    assert translated("anthropic", "anthropic", 529, ANTHROPIC_ERROR) == ANTHROPIC_ERROR


def test_an_error_of_the_other_dialect_keeps_message_and_code() -> None:
    there = translated("openai", "anthropic", 400, OPENAI_ERROR)
    back = translated("anthropic", "openai", 529, ANTHROPIC_ERROR)

    assert there["error"] == {
        "type": "invalid_request_error",
        "message": "bad",
        "details": {"error_code": "c", "param": "n"},
    }
    assert there["request_id"] == "ours"
    assert (back["error"]["message"], back["error"]["code"]) == ("busy", "overloaded_error")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The provider answered with status 400 and no explanation."),
        (b"<html>no</html>", "The provider answered with status 400 and no explanation."),
        (b"plain words", "plain words"),
        ({"error": "just text"}, "just text"),
        ({"detail": "as FastAPI says it"}, "as FastAPI says it"),
        ({"message": "m"}, "m"),
        ({"error": {"message": "no type"}}, "no type"),
    ],
)
def test_errors_of_no_dialect_are_put_in_the_callers(body: Any, message: str) -> None:
    assert translated("openai", "openai", 400, body)["error"]["message"] == message


@pytest.mark.parametrize(
    ("dialect", "status", "body"),
    [
        ("openai", 400, {"error": {"message": "x", "code": "context_length_exceeded"}}),
        ("openai", 400, {"error": {"message": "x", "type": "exceed_context_size_error", "code": 400}}),
        ("openai", 400, {"error": {"message": "This model's maximum context length is 8192 tokens"}}),
        (
            "anthropic",
            400,
            {"error": {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}},
        ),
        (
            "anthropic",
            400,
            {"error": {"message": "input length and `max_tokens` exceed context limit: 1 + 2 > 2"}},
        ),
    ],
)
def test_a_full_context_window_is_recognised(dialect: Dialect, status: int, body: Any) -> None:
    assert is_context_length_error(dialect, status, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b'{"error":{"message":"bad tool"}}'),
        (500, b'{"error":{"message":"context length"}}'),
        (400, b""),
    ],
)
def test_other_errors_are_not_taken_for_it(status: int, body: bytes) -> None:
    assert not is_context_length_error("openai", status, body)


def test_long_plain_text_is_cut() -> None:
    assert len(error_message(b"x" * 9000)) == 500
