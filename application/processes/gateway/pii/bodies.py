"""Where texts stand in the JSON of requests and answers, in both dialects; protocol stays as it is."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from application.orchestration.dialects.model import UNSIGNED_THINKING, JsonObject
from application.processes.gateway.pii.texts import Texts
from domain.kernel.errors import InvalidInput

_PROTOCOL: Final = frozenset(
    [
        "model",
        "id",
        "type",
        "role",
        "name",
        "object",
        "tool_call_id",
        "tool_use_id",
        "call_id",
        "url",
        "file_data",
        "file_id",
        "signature",
        "media_type",
        "mime_type",
        "detail",
        "finish_reason",
        "stop_reason",
        "stop_sequence",
        "system_fingerprint",
        "service_tier",
        "cache_control",
        "encoding_format",
        "embedding",
        "encrypted_content",
        "prompt_cache_key",
        "reasoning_effort",
        "verbosity",
        "modalities",
    ]
)
_SCHEMAS: Final = frozenset(
    ["tools", "functions", "tool_choice", "response_format", "output_config", "output_format"]
)
_TOOL_USES: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
_LONGEST_JSON: Final = 1 << 20


class Bodies:
    """Walks a request or an answer; in answers signed reasoning is treated too, and loses its signature."""

    def __init__(self, texts: Texts, *, answer: bool) -> None:
        self._texts = texts
        self._answer = answer

    def treated(self, body: JsonObject) -> JsonObject:
        """Return a copy with every text treated; raises PiiDetectionFailed."""
        return {
            name: self._schema(value) if name in _SCHEMAS else self._node(value, name, {"type": ""})
            for name, value in body.items()
        }

    def piece(self, value: Any) -> Any:
        """Return a part of a body with every text treated."""
        return self._node(value, "", {})

    def arguments(self, text: str) -> str:
        """Return a text that should be JSON, as JSON when it is."""
        return self._json(text) or self._texts.text(text)

    def _node(self, value: Any, name: str, parent: JsonObject) -> Any:
        if isinstance(value, str):
            return self._string(value, name, parent)
        if isinstance(value, list):
            return [self._node(item, name, parent) for item in value]
        if not isinstance(value, dict):
            return value
        if name == "metadata":
            return self._texts.value(value)
        kind = value.get("type")
        if kind == "redacted_thinking" or (kind == "thinking" and "signature" in value):
            return self._thinking(value)
        return {key: self._member(item, key, value) for key, item in value.items()}

    def _member(self, value: Any, name: str, parent: JsonObject) -> Any:
        if name == "input" and parent.get("type") in _TOOL_USES:
            return self._texts.value(value)
        if name == "logprobs" and self._answer:
            return None
        return self._node(value, name, parent)

    def _string(self, value: str, name: str, parent: JsonObject) -> str:
        if name in _PROTOCOL or (name == "data" and parent.get("type") != "text"):
            return value
        if name in ("arguments", "partial_json"):
            return self.arguments(value)
        if value[:1] in ("{", "[") and len(value) <= _LONGEST_JSON:
            return self._json(value) or self._texts.text(value)
        return self._texts.text(value)

    def _json(self, text: str) -> str | None:
        """Return a text that is JSON, treated; None when it is not, or too deep."""
        try:
            value = msgspec.json.decode(text)
            clean = self._texts.value(value) if isinstance(value, dict | list) else None
        except (msgspec.MsgspecError, UnicodeError, RecursionError, InvalidInput):
            return None
        if clean is None:
            return None
        return text if clean == value else msgspec.json.encode(clean).decode()

    def _thinking(self, block: JsonObject) -> JsonObject:
        said = block.get("thinking")
        if not self._answer or not isinstance(said, str):
            return block
        clean = self._texts.text(said)
        return block if clean == said else {**block, "thinking": clean, "signature": UNSIGNED_THINKING}

    def _schema(self, value: Any) -> Any:
        """Treat what a schema says to the model; names, types and constants must stay."""
        if isinstance(value, list):
            return [self._schema(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: self._texts.text(item)
            if key == "description" and isinstance(item, str)
            else self._schema(item)
            for key, item in value.items()
        }
