"""Translates chat messages into Messages turns: system texts apart, tool answers as blocks of a user turn."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from application.orchestration.dialects.model import UNSIGNED_THINKING, JsonObject, Untranslatable
from application.orchestration.dialects.shape import child, mapping, sequence, shown
from application.orchestration.dialects.translation import anthropic_tool_id, only, split_data_url

_IMAGE_MEDIA_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_OUTPUT_ONLY = ("annotations", "parsed", "reasoning_content", "reasoning")
"""Members of an answer that callers send back with it; no chat model reads them."""


def anthropic_messages(messages: list[JsonObject]) -> tuple[str | list[JsonObject], list[JsonObject]]:
    """Return the system prompt (text, or text blocks) and the turns.

    System and developer messages all move to the system prompt, in order, wherever they stood: not every
    model takes them between turns. Raises Untranslatable naming the message and member.
    """
    system: list[JsonObject] = []
    turns: list[JsonObject] = []
    for index, message in enumerate(messages):
        at = f"/messages/{index}"
        role = message["role"]
        if role in ("system", "developer"):
            only(message, ("role", "content"), at)
            system += _text_blocks(message["content"], child(at, "content"))
        elif role == "tool":
            _append_tool_result(turns, _tool_result(message, at))
        elif role == "user":
            only(message, ("role", "content"), at)
            turns.append({"role": "user", "content": _content(message["content"], child(at, "content"))})
        elif role == "assistant":
            turns.append({"role": "assistant", "content": _assistant_content(message, at)})
        else:
            raise Untranslatable.at(child(at, "role"), "function messages are not taken here; use role tool")
    if not turns:
        raise Untranslatable.at(
            "/messages", "this model's provider needs a user message beside the system text"
        )
    plain = len(system) == 1 and system[0].keys() == {"type", "text"}
    return (system[0]["text"] if plain else system), turns


def _append_tool_result(turns: list[JsonObject], result: JsonObject) -> None:
    last = turns[-1] if turns else {}
    blocks = last.get("content")
    if isinstance(blocks, list) and blocks and blocks[-1]["type"] == "tool_result":
        blocks.append(result)
    else:
        turns.append({"role": "user", "content": [result]})


def _tool_result(message: JsonObject, at: str) -> JsonObject:
    only(message, ("role", "content", "tool_call_id", "cache_control"), at)
    content = message["content"]
    if not isinstance(content, str):
        content = _text_blocks(content, child(at, "content"))
    result = {
        "type": "tool_result",
        "tool_use_id": anthropic_tool_id(message["tool_call_id"], child(at, "tool_call_id")),
        "content": content,
    }
    if message.get("cache_control") is not None:
        result["cache_control"] = message["cache_control"]
    return result


def _assistant_content(message: JsonObject, at: str) -> str | list[JsonObject]:
    known = ("role", "content", "refusal", "tool_calls", "thinking_blocks", *_OUTPUT_ONLY)
    only(message, known, at)
    content = message.get("content")
    calls = message.get("tool_calls") or []
    if isinstance(content, str) and not (calls or message.get("refusal") or message.get("thinking_blocks")):
        return content
    blocks = _thinking_blocks(message.get("thinking_blocks"), child(at, "thinking_blocks"))
    blocks += _text_blocks(content or "", child(at, "content"))
    if message.get("refusal"):
        blocks.append({"type": "text", "text": message["refusal"]})
    place = child(at, "tool_calls")
    blocks += [_tool_use(call, f"{place}/{index}") for index, call in enumerate(calls)]
    return blocks


def _thinking_blocks(given: object, at: str) -> list[JsonObject]:
    blocks = []
    for index, block in enumerate(sequence(given)):
        if mapping(block).get("type") not in ("thinking", "redacted_thinking"):
            raise Untranslatable.at(f"{at}/{index}", "must be a thinking block as an answer gave it")
        if block.get("signature") != UNSIGNED_THINKING:
            blocks.append({key: value for key, value in block.items() if key != "index"})
    return blocks


def _tool_use(call: JsonObject, at: str) -> JsonObject:
    if call.get("type", "function") != "function":
        raise Untranslatable.at(child(at, "type"), "only function calls can be sent here")
    only(call, ("id", "type", "function", "index"), at)
    function = call["function"]
    at_function = child(at, "function")
    only(function, ("name", "arguments", "parsed_arguments"), at_function)
    return {
        "type": "tool_use",
        "id": anthropic_tool_id(call["id"], child(at, "id")),
        "name": function["name"],
        "input": _arguments(function["arguments"], child(at_function, "arguments")),
    }


def _arguments(arguments: str, at: str) -> JsonObject:
    try:
        decoded = json.loads(arguments) if arguments.strip() else {}
    except (ValueError, RecursionError):
        decoded = None
    if not isinstance(decoded, dict):
        raise Untranslatable.at(at, f"must be the text of a JSON object, not {shown(arguments)}")
    return decoded


def _content(content: Any, at: str) -> str | list[JsonObject]:
    if isinstance(content, str):
        return content
    blocks = [_block(part, f"{at}/{index}") for index, part in enumerate(content)]
    return [block for block in blocks if block.get("text") != ""] or blocks


def _text_blocks(content: Any, at: str) -> list[JsonObject]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    blocks = [_text_block(part, f"{at}/{index}") for index, part in enumerate(content)]
    return [block for block in blocks if block["text"]]


def _block(part: JsonObject, at: str) -> JsonObject:
    translate = _BLOCKS.get(part["type"])
    if translate is None:
        raise Untranslatable.at(
            child(at, "type"), f"{shown(part['type'])} content cannot be sent to this model"
        )
    only(part, (part["type"], "type", "refusal", "cache_control", "prompt_cache_breakpoint"), at)
    block = translate(part, at)
    if part.get("cache_control") is not None:
        block["cache_control"] = part["cache_control"]
    return block


def _text_block(part: JsonObject, at: str) -> JsonObject:
    if part["type"] not in ("text", "refusal"):
        raise Untranslatable.at(child(at, "type"), f"only text can stand here, not {shown(part['type'])}")
    return _block(part, at)


def _text(part: JsonObject, at: str) -> JsonObject:
    value = part.get(part["type"])
    if not isinstance(value, str):
        raise Untranslatable.at(child(at, part["type"]), f"must be a string, not {shown(value)}")
    return {"type": "text", "text": value}


def _image(part: JsonObject, at: str) -> JsonObject:
    image = part["image_url"]
    at = child(at, "image_url")
    only({**image, "detail": None}, ("url",), at)
    if image.get("detail") not in (None, "auto"):
        raise Untranslatable.at(
            child(at, "detail"), f"only auto has a counterpart, not {shown(image['detail'])}"
        )
    url = image["url"]
    if url.lower().startswith(("http://", "https://")):
        return {"type": "image", "source": {"type": "url", "url": url}}
    media_type, data = split_data_url(url) or ("", "")
    media_type = "image/jpeg" if media_type == "image/jpg" else media_type
    if media_type not in _IMAGE_MEDIA_TYPES:
        accepted = "an http(s) URL or a base64 data URL of JPEG, PNG, GIF or WebP"
        raise Untranslatable.at(child(at, "url"), f"must be {accepted}, not {shown(url)}")
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def _file(part: JsonObject, at: str) -> JsonObject:
    file = mapping(part.get("file"))
    at = child(at, "file")
    only(file, ("file_data", "filename"), at)
    media_type, data = split_data_url(str(file.get("file_data"))) or ("", "")
    if media_type != "application/pdf":
        raise Untranslatable.at(child(at, "file_data"), "must be a base64 data URL of application/pdf")
    document = {
        "type": "document",
        "source": {"type": "base64", "media_type": media_type, "data": data},
    }
    return document if file.get("filename") is None else {**document, "title": file["filename"]}


_BLOCKS: dict[str, Callable[[JsonObject, str], JsonObject]] = {
    "text": _text,
    "refusal": _text,
    "image_url": _image,
    "file": _file,
}
