"""Writes errors in the caller's dialect: our own, the provider's, and those that break a running stream."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from application.orchestration.dialects.model import Dialect, JsonObject, TokenUsage
from application.orchestration.dialects.shape import mapping, text
from application.orchestration.dialects.usage import write_anthropic, write_openai

INTERRUPTED = "upstream_stream_interrupted"

_OPENAI_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_CONTEXT_STATUSES = (400, 413, 422)
_CONTEXT_CODES = ("context_length_exceeded", "exceed_context_size_error")
_CONTEXT_PHRASES = (
    "context length",
    "context window",
    "context size",
    "context limit",
    "prompt is too long",
    "input is too long",
    "too many input tokens",
)
_MAX_PLAIN_TEXT = 500


def error_type(dialect: Dialect, status: int) -> str:
    """Return the `type` that the dialect's own API gives an error of this status."""
    table, server = (
        (_OPENAI_TYPES, "server_error") if dialect == "openai" else (_ANTHROPIC_TYPES, "api_error")
    )
    return table.get(status, server if status >= 500 else "invalid_request_error")


def error_body(
    dialect: Dialect,
    *,
    status: int,
    message: str,
    code: str | None = None,
    param: str | None = None,
    request_id: str | None = None,
    extra: Mapping[str, object] | None = None,
) -> bytes:
    """Return the JSON body of an error.

    `code` is our stable name for the cause, `param` the JSON pointer of the field at fault, `extra` further
    members for machines. Anthropic has no place for them but `error.details`, which its SDK shows.
    """
    return msgspec.json.encode(
        _error(dialect, error_type(dialect, status), message, code, param, request_id, extra or {})
    )


def stream_error(
    dialect: Dialect,
    *,
    message: str,
    request_id: str,
    code: str = INTERRUPTED,
    status: int = 502,
    usage: TokenUsage | None = None,
) -> bytes:
    """Return the event that ends a stream which cannot be finished; nothing may follow it.

    It carries the usage so far, for the closing message that would have told it will not come.
    """
    extra: JsonObject = {}
    if usage is not None:
        extra["usage"] = write_openai(usage) if dialect == "openai" else write_anthropic(usage)
    body = error_body(dialect, status=status, message=message, code=code, request_id=request_id, extra=extra)
    prefix = b"data: " if dialect == "openai" else b"event: error\ndata: "
    return prefix + body + b"\n\n"


def translate_error(
    upstream: Dialect, caller: Dialect, status: int, body: bytes, *, request_id: str | None = None
) -> bytes:
    """Return a provider's error in the caller's dialect, its message kept; unchanged when it is in it."""
    decoded = _decoded(body)
    error = mapping(decoded.get("error"))
    if upstream == caller and isinstance(error.get("message"), str) and isinstance(error.get("type"), str):
        return body
    code = _code(upstream, error)
    return error_body(
        caller,
        status=status,
        message=error_message(body) or f"The provider answered with status {status} and no explanation.",
        code=code,
        param=text(error.get("param")) or None,
        request_id=request_id,
    )


def error_message(body: bytes) -> str:
    """Return the message of a provider's error body of either dialect, or of the shapes servers make up."""
    decoded = _decoded(body)
    error = decoded.get("error")
    for candidate in (mapping(error).get("message"), error, decoded.get("message"), decoded.get("detail")):
        if isinstance(candidate, str) and candidate:
            return candidate
    plain = body[:_MAX_PLAIN_TEXT].decode(errors="replace").strip()
    return "" if plain.startswith(("<", "{", "[")) else plain


def is_context_length_error(dialect: Dialect, status: int, body: bytes) -> bool:
    """Whether the provider refused because prompt and answer exceed the model's context window.

    OpenAI says so by code; Anthropic and many servers only in words.
    """
    if status not in _CONTEXT_STATUSES:
        return False
    error = mapping(_decoded(body).get("error"))
    if _code(dialect, error) in _CONTEXT_CODES or text(error.get("type")) in _CONTEXT_CODES:
        return True
    said = error_message(body).lower()
    return any(phrase in said for phrase in _CONTEXT_PHRASES)


def _error(
    dialect: Dialect,
    kind: str,
    message: str,
    code: str | None,
    param: str | None,
    request_id: str | None,
    extra: Mapping[str, object],
) -> JsonObject:
    if dialect == "openai":
        error = {"message": message, "type": kind, "param": param, "code": code, **extra}
        return {"error": error if request_id is None else {**error, "request_id": request_id}}
    details = {"error_code": code, "param": param, **extra}
    given = {name: value for name, value in details.items() if value is not None}
    anthropic: JsonObject = {"type": kind, "message": message}
    if given:
        anthropic["details"] = given
    return {"type": "error", "error": anthropic, "request_id": request_id}


def _code(dialect: Dialect, error: JsonObject) -> str | None:
    if dialect == "anthropic":
        return text(mapping(error.get("details")).get("error_code")) or text(error.get("type")) or None
    return text(error.get("code")) or None


def _decoded(body: bytes) -> JsonObject:
    try:
        return mapping(msgspec.json.decode(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
