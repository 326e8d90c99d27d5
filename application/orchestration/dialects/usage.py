"""Reads token usage from either dialect's answers and writes it in either's words."""

from __future__ import annotations

from application.orchestration.dialects.model import Dialect, JsonObject, TokenUsage
from application.orchestration.dialects.shape import count, mapping


def usage_of(dialect: Dialect, body: JsonObject) -> TokenUsage | None:
    """Return the usage of a whole answer (chat, message or embeddings), None when it reports none."""
    return read_usage(dialect, body.get("usage"))


def read_usage(dialect: Dialect, usage: object) -> TokenUsage | None:
    """Return the usage of a `usage` object, also of one event of a stream; None when it says nothing."""
    members = mapping(usage)
    read = _read_openai(members) if dialect == "openai" else _read_anthropic(members)
    return read if read.reported else None


def write_openai(usage: TokenUsage) -> JsonObject:
    """Return an OpenAI `usage` object; what was not reported is 0 where the dialect needs a number."""
    prompt, completion = usage.input_tokens or 0, usage.output_tokens or 0
    out: JsonObject = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    prompt_details = _reported(
        cached_tokens=usage.cached_input_tokens, cache_write_tokens=usage.cache_write_tokens
    )
    if prompt_details:
        out["prompt_tokens_details"] = prompt_details
    if usage.reasoning_tokens is not None:
        out["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return out


def write_anthropic(usage: TokenUsage) -> JsonObject:
    """Return an Anthropic `usage` object, whose input_tokens leave out what a cache gave or took."""
    cached = (usage.cached_input_tokens or 0) + (usage.cache_write_tokens or 0)
    out: JsonObject = {
        "input_tokens": max(0, (usage.input_tokens or 0) - cached),
        "output_tokens": usage.output_tokens or 0,
    }
    out |= _reported(
        cache_read_input_tokens=usage.cached_input_tokens,
        cache_creation_input_tokens=usage.cache_write_tokens,
    )
    if usage.reasoning_tokens is not None:
        out["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return out


def _read_openai(usage: JsonObject) -> TokenUsage:
    prompt = mapping(usage.get("prompt_tokens_details"))
    completion = mapping(usage.get("completion_tokens_details"))
    return TokenUsage(
        input_tokens=count(usage.get("prompt_tokens")),
        cached_input_tokens=count(prompt.get("cached_tokens")),
        cache_write_tokens=count(prompt.get("cache_write_tokens")),
        output_tokens=count(usage.get("completion_tokens")),
        reasoning_tokens=count(completion.get("reasoning_tokens")),
        audio_input_tokens=count(prompt.get("audio_tokens")) or None,
        audio_output_tokens=count(completion.get("audio_tokens")) or None,
    )


def _read_anthropic(usage: JsonObject) -> TokenUsage:
    uncached = count(usage.get("input_tokens"))
    read = count(usage.get("cache_read_input_tokens"))
    written = count(usage.get("cache_creation_input_tokens"))
    return TokenUsage(
        input_tokens=None if uncached is None else uncached + (read or 0) + (written or 0),
        cached_input_tokens=read,
        cache_write_tokens=written,
        output_tokens=count(usage.get("output_tokens")),
        reasoning_tokens=count(mapping(usage.get("output_tokens_details")).get("thinking_tokens")),
        cache_write_1h_tokens=count(mapping(usage.get("cache_creation")).get("ephemeral_1h_input_tokens"))
        or None,
        web_searches=count(mapping(usage.get("server_tool_use")).get("web_search_requests")) or None,
    )


def _reported(**members: int | None) -> JsonObject:
    return {name: value for name, value in members.items() if value is not None}
