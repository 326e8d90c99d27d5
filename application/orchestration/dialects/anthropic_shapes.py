"""What every Anthropic-dialect provider needs of a request; unknown fields and block types pass through."""

from __future__ import annotations

from application.orchestration.dialects.checks import (
    Errors,
    boolean,
    integer_from,
    list_of,
    model_name,
    name,
    number,
    object_,
    optional,
    required,
    string,
    string_or,
    tagged,
)
from application.orchestration.dialects.model import JsonObject
from application.orchestration.dialects.shape import child, shown
from domain.kernel.errors import FieldError

_ROLES = ("user", "assistant", "system")


def messages_errors(body: JsonObject) -> Errors:
    """Yield what is wrong with a body of `POST /v1/messages`."""
    yield from count_tokens_errors(body)
    yield from required(body, "max_tokens", integer_from(0))
    yield from optional(body, "stream", boolean)
    for field in ("temperature", "top_p"):
        yield from optional(body, field, number)
    yield from optional(body, "top_k", integer_from(0))
    yield from optional(body, "stop_sequences", list_of(string))
    yield from optional(body, "metadata", object_)
    yield from optional(body, "output_config", object_)


def count_tokens_errors(body: JsonObject) -> Errors:
    """Yield what is wrong with a body of `POST /v1/messages/count_tokens`."""
    yield from required(body, "model", model_name)
    yield from required(body, "messages", list_of(_message, empty=False))
    yield from optional(body, "system", string_or(list_of(_system_block)))
    yield from optional(body, "tools", list_of(_tool))
    yield from optional(body, "tool_choice", tagged)
    yield from optional(body, "thinking", tagged)


def _message(value: object, at: str) -> Errors:
    if not isinstance(value, dict):
        yield FieldError(at, f"must be an object with role and content, not {shown(value)}")
        return
    role = value.get("role")
    if role not in _ROLES:
        yield FieldError(child(at, "role"), f"must be one of {', '.join(_ROLES)}, not {shown(role)}")
    else:
        yield from required(value, "content", _content, at)


def _content(value: object, at: str) -> Errors:
    if isinstance(value, str):
        return
    if isinstance(value, list):
        yield from list_of(_block)(value, at)
    else:
        yield FieldError(at, f"must be a string or an array of blocks, not {shown(value)}")


def _block(value: object, at: str) -> Errors:
    yield from tagged(value, at)
    if not isinstance(value, dict):
        return
    kind = value.get("type")
    if kind == "text":
        yield from required(value, "text", string, at)
    elif kind in ("image", "document"):
        yield from required(value, "source", tagged, at)
    elif kind == "tool_use":
        yield from required(value, "id", name, at)
        yield from required(value, "name", name, at)
        yield from required(value, "input", object_, at)
    elif kind == "tool_result":
        yield from required(value, "tool_use_id", name, at)
        yield from optional(value, "content", _content, at)


def _system_block(value: object, at: str) -> Errors:
    yield from tagged(value, at)
    if isinstance(value, dict):
        yield from required(value, "text", string, at)


def _tool(value: object, at: str) -> Errors:
    if not isinstance(value, dict):
        yield FieldError(at, f"must be an object with name and input_schema, not {shown(value)}")
        return
    yield from optional(value, "type", string, at)
    if value.get("type") in (None, "custom"):
        yield from required(value, "name", name, at)
        yield from required(value, "input_schema", object_, at)
