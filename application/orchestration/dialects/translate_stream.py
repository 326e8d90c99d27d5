"""Chooses how a provider's stream reaches the caller when their dialects differ."""

from __future__ import annotations

from typing import Protocol

from application.orchestration.dialects.model import ChatRequest, Dialect
from application.orchestration.dialects.sse import Frame
from application.orchestration.dialects.stream_to_anthropic import OpenAIToAnthropic
from application.orchestration.dialects.stream_to_openai import AnthropicToOpenAI


class StreamTranslator(Protocol):
    """Turns upstream frames into the caller's bytes, in order; one object for one stream."""

    def feed(self, frame: Frame) -> bytes:
        """Return the bytes for one frame, often none; MalformedAnswer when the frame makes no sense."""
        ...

    def finish(self) -> bytes:
        """Return what closes a stream whose provider left out its closing message; none when it was cut."""
        ...


def stream_translator(
    request: ChatRequest, upstream: Dialect, *, answer_id: str, request_id: str, created: int
) -> StreamTranslator | None:
    """Return the translator of one stream, None when caller and provider speak the same dialect.

    `answer_id` and `created` (Unix seconds) are what the caller sees as the answer's id and date.
    """
    if upstream == request.dialect:
        return None
    if upstream == "openai":
        return OpenAIToAnthropic(answer_id, request_id, with_thinking=request.wants_thinking)
    return AnthropicToOpenAI(answer_id, request_id, created=created, with_usage=request.client_wants_usage)
