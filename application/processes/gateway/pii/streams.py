"""Chooses how the texts of a stream are treated, by the caller's dialect."""

from __future__ import annotations

from application.orchestration.dialects.model import Dialect
from application.processes.gateway.pii.anthropic_stream import AnthropicGuard
from application.processes.gateway.pii.openai_stream import OpenAIGuard
from application.processes.gateway.pii.relay import StreamGuard
from application.processes.gateway.pii.texts import Treated


def stream_guard(dialect: Dialect, treated: Treated, *, json_text: bool) -> StreamGuard:
    """Return the guard of one stream; `json_text`: the caller asked for JSON, and must get JSON."""
    if dialect == "openai":
        return OpenAIGuard(treated, json_text=json_text)
    return AnthropicGuard(treated, json_text=json_text)
