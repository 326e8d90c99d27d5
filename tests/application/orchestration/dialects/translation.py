"""Runs a whole stream through its translator."""

from __future__ import annotations

import json
from typing import Any

from application.orchestration.dialects.model import ChatRequest, Dialect
from application.orchestration.dialects.sse import Frame, SseReader
from application.orchestration.dialects.translate_stream import StreamTranslator, stream_translator


def translator(request: ChatRequest, upstream: Dialect) -> StreamTranslator:
    found = stream_translator(request, upstream, answer_id="ours", request_id="req", created=99)
    assert found is not None
    return found


def translate(request: ChatRequest, upstream: Dialect, stream: bytes) -> list[Any]:
    """The caller's events: decoded data, or the raw data where it is no JSON."""
    translation = translator(request, upstream)
    written = b"".join(translation.feed(frame) for frame in SseReader().feed(stream)) + translation.finish()
    return [_event(frame) for frame in SseReader().feed(written) if frame.data]


def _event(frame: Frame) -> Any:
    if frame.data == b"[DONE]":
        return "[DONE]"
    event = json.loads(frame.data)
    assert frame.event in ("", event.get("type"))
    return event
