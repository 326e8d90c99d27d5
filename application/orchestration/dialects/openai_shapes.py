"""What every OpenAI-dialect provider needs of a request; unknown fields and part types pass through."""

from __future__ import annotations

from application.orchestration.dialects.checks import (
    Check,
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

_ROLES = ("developer", "system", "user", "assistant", "tool", "function")
_MAX_CHOICES = 128


def chat_errors(body: JsonObject) -> Errors:
    """Yield what is wrong with a body of `POST /v1/chat/completions`."""
    yield from required(body, "model", model_name)
    yield from required(body, "messages", _MESSAGES)
    for field, check in _CHAT_OPTIONS:
        if field in body:
            yield from optional(body, field, check)


def embeddings_errors(body: JsonObject) -> Errors:
    """Yield what is wrong with a body of `POST /v1/embeddings`."""
    yield from required(body, "model", model_name)
    yield from required(body, "input", _embedding_input)
    yield from optional(body, "dimensions", integer_from(1))
    yield from optional(body, "encoding_format", string)
    yield from optional(body, "user", string)


def _message(value: object, at: str) -> Errors:
    if not isinstance(value, dict):
        yield FieldError(at, f"must be an object with role and content, not {shown(value)}")
        return
    role = value.get("role")
    if role not in _ROLES:
        yield FieldError(child(at, "role"), f"must be one of {', '.join(_ROLES)}, not {shown(role)}")
        return
    if role == "assistant":
        yield from optional(value, "content", _content, at)
        yield from optional(value, "tool_calls", list_of(_tool_call), at)
    elif role == "function":
        yield from optional(value, "content", _content, at)
    else:
        yield from required(value, "content", _content, at)
    if role == "tool":
        yield from required(value, "tool_call_id", name, at)


def _content(value: object, at: str) -> Errors:
    if isinstance(value, str):
        return
    if isinstance(value, list):
        yield from list_of(_part)(value, at)
    else:
        yield FieldError(at, f"must be a string or an array of parts, not {shown(value)}")


def _part(value: object, at: str) -> Errors:
    yield from tagged(value, at)
    if not isinstance(value, dict):
        return
    if value.get("type") == "text":
        yield from required(value, "text", string, at)
    elif value.get("type") == "image_url":
        yield from required(value, "image_url", _image_url, at)


def _image_url(value: object, at: str) -> Errors:
    if isinstance(value, dict):
        yield from required(value, "url", name, at)
    else:
        yield FieldError(at, f"must be an object with url, not {shown(value)}")


def _tool_call(value: object, at: str) -> Errors:
    if not isinstance(value, dict):
        yield FieldError(at, f"must be an object with id, type and function, not {shown(value)}")
        return
    yield from required(value, "id", string, at)
    if value.get("type", "function") == "function":
        yield from required(value, "function", _called_function, at)


def _called_function(value: object, at: str) -> Errors:
    if not isinstance(value, dict):
        yield FieldError(at, f"must be an object with name and arguments, not {shown(value)}")
        return
    yield from required(value, "name", name, at)
    yield from required(value, "arguments", string, at)


def _tool(value: object, at: str) -> Errors:
    yield from tagged(value, at)
    if isinstance(value, dict) and value.get("type") == "function":
        yield from required(value, "function", _function, at)


def _function(value: object, at: str) -> Errors:
    if not isinstance(value, dict):
        yield FieldError(at, f"must be an object with name and parameters, not {shown(value)}")
        return
    yield from required(value, "name", name, at)
    yield from optional(value, "description", string, at)
    yield from optional(value, "parameters", object_, at)


def _stream_options(value: object, at: str) -> Errors:
    if isinstance(value, dict):
        yield from optional(value, "include_usage", boolean, at)
    else:
        yield FieldError(at, f"must be an object, not {shown(value)}")


def _response_format(value: object, at: str) -> Errors:
    yield from tagged(value, at)
    if isinstance(value, dict) and value.get("type") == "json_schema":
        yield from required(value, "json_schema", object_, at)


def _embedding_input(value: object, at: str) -> Errors:
    if isinstance(value, str):
        if not value:
            yield FieldError(at, "must not be empty")
    elif isinstance(value, list) and value and isinstance(value[0], int):
        yield from list_of(integer_from(0))(value, at)
    else:
        yield from list_of(_embedding_item, empty=False)(value, at)


def _embedding_item(value: object, at: str) -> Errors:
    if isinstance(value, list):
        yield from list_of(integer_from(0), empty=False)(value, at)
    elif not isinstance(value, str) or not value:
        yield FieldError(at, f"must be a string that is not empty or an array of tokens, not {shown(value)}")


_MESSAGES = list_of(_message, empty=False)
_CHAT_OPTIONS: tuple[tuple[str, Check], ...] = (
    ("stream", boolean),
    ("stream_options", _stream_options),
    ("max_tokens", integer_from(1)),
    ("max_completion_tokens", integer_from(1)),
    ("n", integer_from(1, _MAX_CHOICES)),
    ("temperature", number),
    ("top_p", number),
    ("frequency_penalty", number),
    ("presence_penalty", number),
    ("stop", string_or(list_of(string))),
    ("tools", list_of(_tool)),
    ("tool_choice", string_or(tagged)),
    ("parallel_tool_calls", boolean),
    ("response_format", _response_format),
    ("reasoning_effort", string),
    ("user", string),
)
