"""The vocabulary of the dialects: what a request asks for, what an answer used, what cannot be said."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from application.orchestration.upstream import Dialect
from domain.kernel.errors import FieldError, InvalidInput

__all__ = [
    "UNSIGNED_THINKING",
    "ChatRequest",
    "Dialect",
    "JsonObject",
    "MalformedAnswer",
    "Operation",
    "TokenUsage",
    "Untranslatable",
]

Operation = Literal["chat", "messages", "embeddings", "count_tokens"]
JsonObject = dict[str, Any]

UNSIGNED_THINKING = "aios-unsigned"
"""Signature of thinking blocks made from an OpenAI-dialect provider's reasoning, which nobody signs."""


class Untranslatable(InvalidInput):
    """A valid request that the provider's dialect cannot express; another provider may still answer it."""

    @classmethod
    def at(cls, pointer: str, detail: str) -> Untranslatable:
        """Build the error for one field, named by its JSON pointer."""
        return cls(f"{pointer}: {detail}", [FieldError(pointer, detail)])


class MalformedAnswer(ValueError):
    """A provider's answer that is not of the dialect it claims to speak; the message names the place."""


class TokenUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens as the provider reported them; None is "not reported", 0 is a reported zero.

    `input_tokens` is everything the model read, cached or not (the OpenAI convention), so
    `cached_input_tokens` (read from a cache) and `cache_write_tokens` (written to one) are parts of it.
    `reasoning_tokens` is a part of `output_tokens`; audio is a part of its side, `cache_write_1h_tokens` of
    what was written to a cache. `web_searches` counts calls. Of these a reported zero is None: they are rare.
    """

    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    web_searches: int | None = None

    def updated(self, newer: TokenUsage) -> TokenUsage:
        """Return this usage with every value that `newer` reports in its place."""
        return TokenUsage(
            input_tokens=_newest(newer.input_tokens, self.input_tokens),
            cached_input_tokens=_newest(newer.cached_input_tokens, self.cached_input_tokens),
            cache_write_tokens=_newest(newer.cache_write_tokens, self.cache_write_tokens),
            output_tokens=_newest(newer.output_tokens, self.output_tokens),
            reasoning_tokens=_newest(newer.reasoning_tokens, self.reasoning_tokens),
            cache_write_1h_tokens=_newest(newer.cache_write_1h_tokens, self.cache_write_1h_tokens),
            audio_input_tokens=_newest(newer.audio_input_tokens, self.audio_input_tokens),
            audio_output_tokens=_newest(newer.audio_output_tokens, self.audio_output_tokens),
            web_searches=_newest(newer.web_searches, self.web_searches),
        )

    @property
    def reported(self) -> bool:
        """Whether the provider reported anything at all."""
        return self.input_tokens is not None or self.output_tokens is not None


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One validated request in the caller's dialect; `raw` is the body as received, `body` its JSON.

    `client_wants_usage` is whether the caller's dialect shows usage for this request. `max_tokens` is what
    the caller asked for, None when it did not. `choices` is how many answers are generated (OpenAI `n`).
    `input_bytes` bounds the UTF-8 bytes of what the model reads; `input_token_bound` is that bound in
    tokens with every template and attachment included.
    """

    dialect: Dialect
    operation: Operation
    model: str
    stream: bool
    client_wants_usage: bool
    max_tokens: int | None
    choices: int
    body: JsonObject
    raw: bytes
    input_bytes: int
    input_token_bound: int

    @property
    def wants_thinking(self) -> bool:
        """Whether an Anthropic-dialect caller asked to see the model's reasoning."""
        thinking = self.body.get("thinking")
        return (
            isinstance(thinking, dict)
            and thinking.get("type") in ("enabled", "adaptive")
            and thinking.get("display") != "omitted"
        )


def _newest(newer: int | None, older: int | None) -> int | None:
    return older if newer is None else newer
