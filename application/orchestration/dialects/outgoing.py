"""Prepares the call to a provider: the caller's body with our model and bounds, in the provider's dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from application.orchestration.dialects.model import (
    UNSIGNED_THINKING,
    ChatRequest,
    Dialect,
    JsonObject,
    Untranslatable,
)
from application.orchestration.dialects.shape import mapping
from application.orchestration.dialects.to_anthropic import to_anthropic
from application.orchestration.dialects.to_openai import to_openai

DEFAULT_MAX_TOKENS = 4096
"""What an Anthropic-dialect provider gets when an OpenAI-dialect caller set no limit, for it needs one."""

ANTHROPIC_VERSION = "2023-06-01"
"""Version of translated requests: the newest that still takes temperature, top_p and top_k."""

MaxTokensField = Literal["max_tokens", "max_completion_tokens"]

_PATHS: Mapping[tuple[str, Dialect], str] = {
    ("chat", "openai"): "/chat/completions",
    ("chat", "anthropic"): "/v1/messages",
    ("messages", "openai"): "/chat/completions",
    ("messages", "anthropic"): "/v1/messages",
    ("embeddings", "openai"): "/embeddings",
    ("count_tokens", "anthropic"): "/v1/messages/count_tokens",
}
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class PreparedRequest(msgspec.Struct, frozen=True):
    """One upstream call: `path` is appended to the SDK's base URL; `headers` replace the caller's."""

    path: str
    body: bytes
    headers: Mapping[str, str] = {}


def prepare(
    request: ChatRequest,
    target_dialect: Dialect,
    target_model: str,
    *,
    max_tokens: int | None,
    max_tokens_field: MaxTokensField = "max_completion_tokens",
) -> PreparedRequest:
    """Return the call that asks `target_model` what the caller asked.

    `max_tokens` is an upper limit: a smaller value of the caller stays. `max_tokens_field` names it to
    OpenAI-dialect providers when the caller did not (`max_tokens` for servers that predate the other).
    In the same dialect every other member keeps the caller's bytes. Raises Untranslatable when the
    target's dialect cannot express the request.
    """
    path = _PATHS.get((request.operation, target_dialect))
    if path is None:
        what = request.operation.replace("_", " ")
        raise Untranslatable.at("/model", f"this model's provider has no {what}; choose another model")
    if request.dialect == target_dialect:
        return PreparedRequest(path, _same_dialect(request, target_model, max_tokens, max_tokens_field))
    if target_dialect == "anthropic":
        body = _for_anthropic(request, target_model, max_tokens)
        return PreparedRequest(path, msgspec.json.encode(body), {"anthropic-version": ANTHROPIC_VERSION})
    body = _for_openai(request, target_model, max_tokens, max_tokens_field)
    return PreparedRequest(path, msgspec.json.encode(body))


def _same_dialect(request: ChatRequest, model: str, limit: int | None, field: MaxTokensField) -> bytes:
    members: dict[str, object] = {**_MEMBERS.decode(request.raw), "model": model}
    if request.operation == "chat":
        members |= _openai_limit(request.body, limit, field)
        if request.stream:
            members["stream_options"] = _asking_for_usage(request.body)
    elif request.operation == "messages":
        members["max_tokens"] = _bounded(request.max_tokens, limit)
    if request.dialect == "anthropic" and UNSIGNED_THINKING.encode() in request.raw:
        members["messages"] = _without_unsigned_thinking(request.body["messages"])
    return msgspec.json.encode(members)


def _for_anthropic(request: ChatRequest, model: str, limit: int | None) -> JsonObject:
    bound = _bounded(request.max_tokens, limit)
    body = {"model": model, **to_anthropic(request.body), "max_tokens": bound}
    if request.stream:
        body["stream"] = True
    return body


def _for_openai(request: ChatRequest, model: str, limit: int | None, field: MaxTokensField) -> JsonObject:
    if request.max_tokens == 0:
        detail = "this model's provider generates at least 1 token; send 1 or more"
        raise Untranslatable.at("/max_tokens", detail)
    body = {"model": model, **to_openai(request.body), field: _bounded(request.max_tokens, limit)}
    if request.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


def _openai_limit(body: JsonObject, limit: int | None, field: MaxTokensField) -> dict[str, int]:
    if limit is None:
        return {}
    named = [name for name in ("max_tokens", "max_completion_tokens") if body.get(name) is not None]
    return {name: _bounded(body.get(name), limit) for name in named or [field]}


def _bounded(asked: int | None, limit: int | None) -> int:
    return min((value for value in (asked, limit) if value is not None), default=DEFAULT_MAX_TOKENS)


def _asking_for_usage(body: JsonObject) -> JsonObject:
    return {**mapping(body.get("stream_options")), "include_usage": True}


def _without_unsigned_thinking(turns: list[JsonObject]) -> list[JsonObject]:
    """Drop reasoning that came from another provider: Anthropic refuses thinking it did not sign."""
    kept = []
    for turn in turns:
        content = turn["content"]
        if not isinstance(content, str):
            content = [block for block in content if block.get("signature") != UNSIGNED_THINKING]
        if content:
            kept.append({**turn, "content": content})
    return kept
