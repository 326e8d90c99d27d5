"""Measures what a request makes the model read: an upper bound to reserve, an estimate to report.

Basis of the bound: a byte-level tokenizer never makes more tokens than the text has UTF-8 bytes. Templates
add role marks to each message and sometimes a default system text; tools are rendered into the prompt as
text. Images and files are bounded by the dearest published price of one (gpt-4o-mini counts up to 48 169
tokens for an image in high detail, 2 833 in low). Basis of the estimate: four ASCII characters, or one
other character, make a token; an image makes 1 600.
"""

from __future__ import annotations

import math

import msgspec

from application.orchestration.dialects.model import JsonObject
from application.orchestration.dialects.shape import mapping, sequence, text

TEMPLATE_TOKENS = 96
MESSAGE_TOKENS = 12
TOOL_PROMPT_TOKENS = 1000
IMAGE_TOKENS = 50_000
LOW_DETAIL_IMAGE_TOKENS = 3_000
REMOTE_FILE_TOKENS = 200_000
ESTIMATED_IMAGE_TOKENS = 1_600
_RENDERED_JSON_FACTOR = 2

_NEVER_READ = frozenset(
    {
        *("model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "stop"),
        *(
            "temperature",
            "top_p",
            "top_k",
            "stop_sequences",
            "seed",
            "logprobs",
            "top_logprobs",
            "logit_bias",
        ),
        *("frequency_penalty", "presence_penalty", "parallel_tool_calls", "reasoning_effort", "verbosity"),
        *("user", "safety_identifier", "metadata", "store", "service_tier", "thinking", "modalities"),
        *("prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "cache_control"),
        *("encoding_format", "dimensions", "inference_geo", "speed", "user_profile_id", "diagnostics"),
    }
)
_RENDERED_AS_JSON = frozenset({"tools", "functions", "response_format", "output_config", "output_format"})
_IMAGE_TYPES = frozenset({"image_url", "image", "input_image"})
_FILE_TYPES = frozenset({"file", "document", "input_file", "video_url", "input_audio", "audio"})


class PromptSize(msgspec.Struct):
    """What was found in one request body; sums only grow while `measure` walks it."""

    ascii_chars: int = 0
    other_chars: int = 0
    other_bytes: int = 0
    json_bytes: int = 0
    messages: int = 0
    token_ids: int = 0
    images: int = 0
    media_tokens: int = 0

    @property
    def byte_bound(self) -> int:
        """Upper bound of the UTF-8 bytes of text that the model reads; a token id counts as one."""
        rendered = self.json_bytes * _RENDERED_JSON_FACTOR
        return self.ascii_chars + self.other_bytes + rendered + self.token_ids

    @property
    def token_bound(self) -> int:
        """Upper bound of input tokens, with templates and attachments."""
        tool_prompt = TOOL_PROMPT_TOKENS if self.json_bytes else 0
        overhead = TEMPLATE_TOKENS + MESSAGE_TOKENS * self.messages + tool_prompt
        return self.byte_bound + self.media_tokens + overhead

    @property
    def token_estimate(self) -> int:
        """Likely input tokens; not a bound."""
        attached = self.token_ids + self.images * ESTIMATED_IMAGE_TOKENS
        return tokens_of_text(self.ascii_chars + self.json_bytes, self.other_chars) + attached


def measure(body: JsonObject) -> PromptSize:
    """Walk a decoded request body of either dialect."""
    size = PromptSize(messages=len(sequence(body.get("messages"))))
    for field, value in body.items():
        if field in _RENDERED_AS_JSON:
            size.json_bytes += len(msgspec.json.encode(value))
        elif field == "input" and isinstance(value, list):
            _add_embedding_inputs(size, value)
        elif field not in _NEVER_READ:
            _add(size, value)
    return size


def estimate_tokens(body: JsonObject) -> int:
    """Return the likely number of input tokens of a request body; the module says on what basis."""
    return max(1, measure(body).token_estimate)


def tokens_of_text(ascii_chars: int, other_chars: int = 0) -> int:
    """Return the likely number of tokens of a text, also of the part of an answer that was cut off."""
    return math.ceil(ascii_chars / 4) + other_chars


def _add(size: PromptSize, node: object) -> None:
    if isinstance(node, str):
        _add_text(size, node)
    elif isinstance(node, list):
        for item in node:
            _add(size, item)
    elif isinstance(node, dict):
        if not _add_special(size, node):
            for key, value in node.items():
                _add_text(size, key)
                _add(size, value)
    elif node is not None:
        size.ascii_chars += len(str(node))


def _add_text(size: PromptSize, value: str) -> None:
    if value.isascii():
        size.ascii_chars += len(value)
    else:
        size.other_chars += len(value)
        size.other_bytes += len(value.encode())


def _add_special(size: PromptSize, block: JsonObject) -> bool:
    kind = block.get("type")
    if not isinstance(kind, str):
        return False
    if kind in _IMAGE_TYPES:
        low = mapping(block.get("image_url")).get("detail") == "low"
        size.images += 1
        size.media_tokens += LOW_DETAIL_IMAGE_TOKENS if low else IMAGE_TOKENS
    elif kind in _FILE_TYPES and mapping(block.get("source")).get("type") not in {"text", "content"}:
        inline = _inline_bytes(block)
        size.images += 1
        size.media_tokens += IMAGE_TOKENS + inline if inline else REMOTE_FILE_TOKENS
    elif kind == "tool_use":
        size.json_bytes += len(msgspec.json.encode(block))
    else:
        return False
    return True


def _inline_bytes(block: JsonObject) -> int:
    holders = (mapping(block.get(field)) for field in ("source", "file", "input_audio"))
    return sum(len(text(holder.get(field))) for holder in holders for field in ("data", "file_data"))


def _add_embedding_inputs(size: PromptSize, inputs: list[object]) -> None:
    for item in inputs:
        if isinstance(item, int):
            size.token_ids += 1
        elif isinstance(item, list):
            size.token_ids += len(item)
        else:
            _add(size, item)
            size.messages += 1
