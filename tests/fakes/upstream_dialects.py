"""What both dialects of a fake provider share: requests read leniently, deterministic tokens and values."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.fakes.upstream_behaviour import Behaviour


class Event(NamedTuple):
    """One SSE event's bytes, and whether it carries content (text or tool arguments)."""

    data: bytes
    content: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What a provider says: a JSON document, or the events of a stream and the closing ones apart."""

    payload: Any = None
    events: tuple[Event, ...] = ()
    closing: tuple[Event, ...] = ()
    error_event: bytes = b""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the dialects read it."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The model asked for, or nothing."""
        return str(self.body.get("model", ""))

    @property
    def anthropic(self) -> bool:
        """Whether the Anthropic dialect is spoken."""
        return self.path.startswith("/v1/messages") or "anthropic-version" in self.headers

    @property
    def stream(self) -> bool:
        """Whether a stream is asked for."""
        return bool(self.body.get("stream"))


class Words(NamedTuple):
    """The answer's text in chunks that join to it, and whether `max_tokens` cut it short."""

    chunks: list[str]
    cut_short: bool


def words_of(behaviour: Behaviour, asked: Asked, text: str | None = None) -> Words:
    """One word with its leading blank is one token and one chunk."""
    chunks = re.findall(r"\s*\S+", behaviour.text if text is None else text)
    limit = asked.body.get("max_completion_tokens") or asked.body.get("max_tokens")
    if isinstance(limit, int) and len(chunks) > limit:
        return Words(chunks[:limit], cut_short=True)
    return Words(chunks, cut_short=False)


def prompt_tokens(body: dict[str, Any]) -> int:
    """The words of every text in the request's messages, system prompt or input; at least 1."""
    texts = [body.get(name) for name in ("system", "messages", "input")]
    return max(sum(map(_count, texts)), 1)


def _count(value: Any) -> int:
    match value:
        case str():
            return len(value.split())
        case list():
            return sum(1 if isinstance(item, int) else _count(item) for item in value)
        case dict():
            return sum(_count(value.get(name)) for name in ("content", "text"))
        case _:
            return 0


def instance_of(schema: dict[str, Any], definitions: dict[str, Any] | None = None) -> Any:
    """A value that satisfies a JSON schema as SDKs write them."""
    definitions = definitions or schema.get("$defs", {})
    if "$ref" in schema:
        return instance_of(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return instance_of(schema["anyOf"][0], definitions)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    if schema.get("type") == "object":
        return {name: instance_of(part, definitions) for name, part in schema.get("properties", {}).items()}
    if schema.get("type") == "array":
        return [instance_of(schema.get("items", {}), definitions)]
    return {"integer": 7, "number": 1.5, "boolean": True, "null": None}.get(schema.get("type", ""), "text")


def encode(value: Any) -> bytes:
    """Compact JSON, as the vendors send it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def pieces(text: str, size: int = 12) -> list[str]:
    """Tool arguments as streams carry them: fragments that are no JSON on their own."""
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]
