"""Reads a caller's request: strict JSON, the shape every provider needs, and what the pipeline asks of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from application.orchestration.dialects import anthropic_shapes, openai_shapes
from application.orchestration.dialects.checks import Errors
from application.orchestration.dialects.json_body import decode_object
from application.orchestration.dialects.measure import measure
from application.orchestration.dialects.model import ChatRequest, Dialect, JsonObject, Operation
from application.orchestration.dialects.shape import count, mapping
from domain.kernel.errors import InvalidInput

_MAX_ERRORS = 20


def parse_chat(raw: bytes) -> ChatRequest:
    """Read a body of `POST /v1/chat/completions`; InvalidInput names every unusable field."""
    return _parse(raw, "openai", "chat", openai_shapes.chat_errors)


def parse_messages(raw: bytes) -> ChatRequest:
    """Read a body of `POST /v1/messages`; InvalidInput names every unusable field."""
    return _parse(raw, "anthropic", "messages", anthropic_shapes.messages_errors)


def parse_embeddings(raw: bytes) -> ChatRequest:
    """Read a body of `POST /v1/embeddings`; InvalidInput names every unusable field."""
    return _parse(raw, "openai", "embeddings", openai_shapes.embeddings_errors)


def parse_count_tokens(raw: bytes) -> ChatRequest:
    """Read a body of `POST /v1/messages/count_tokens`; InvalidInput names every unusable field."""
    return _parse(raw, "anthropic", "count_tokens", anthropic_shapes.count_tokens_errors)


def _parse(
    raw: bytes, dialect: Dialect, operation: Operation, errors_of: Callable[[JsonObject], Errors]
) -> ChatRequest:
    body = decode_object(raw)
    _refuse(errors_of(body))
    generates = operation in {"chat", "messages"}
    stream = generates and body.get("stream") is True
    size = measure(body)
    return ChatRequest(
        dialect=dialect,
        operation=operation,
        model=body["model"],
        stream=stream,
        client_wants_usage=_wants_usage(body, operation, stream=stream),
        max_tokens=_max_tokens(body) if generates else None,
        choices=(count(body.get("n")) or 1) if operation == "chat" else 1,
        body=body,
        raw=raw,
        input_bytes=size.byte_bound,
        input_token_bound=size.token_bound,
    )


def _refuse(errors: Errors) -> None:
    found = list(islice(errors, _MAX_ERRORS))
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise InvalidInput(f"{found[0].pointer}: {found[0].detail}{more}", found)


def _wants_usage(body: JsonObject, operation: Operation, *, stream: bool) -> bool:
    if operation != "chat" or not stream:
        return True
    return mapping(body.get("stream_options")).get("include_usage") is True


def _max_tokens(body: JsonObject) -> int | None:
    given = [count(body.get(field)) for field in ("max_tokens", "max_completion_tokens")]
    return min((value for value in given if value is not None), default=None)
