"""Translates Messages turns into chat messages: the system prompt first, tool results as tool messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from application.orchestration.dialects.model import UNSIGNED_THINKING, JsonObject, Untranslatable
from application.orchestration.dialects.shape import child, mapping, shown
from application.orchestration.dialects.translation import only

_HINTS = ("cache_control",)
ERROR_PREFIX = "Error: "
"""Marks the text of a failed tool, for chat completions have no flag for it."""


def openai_messages(system: str | list[JsonObject] | None, turns: list[JsonObject]) -> list[JsonObject]:
    """Return chat messages.

    Reasoning that another model signed is left out: only the model that wrote it can use it. Reasoning
    that came from an OpenAI-dialect provider goes back to it as `reasoning_content`. Raises Untranslatable
    naming the message and block.
    """
    messages: list[JsonObject] = []
    if system:
        messages.append({"role": "system", "content": _texts(system, "/system")})
    for index, turn in enumerate(turns):
        at = f"/messages/{index}"
        only(turn, ("role", "content"), at)
        at = child(at, "content")
        if turn["role"] == "system":
            messages.append({"role": "system", "content": _texts(turn["content"], at)})
        elif turn["role"] == "user":
            messages += _user_messages(turn["content"], at)
        else:
            messages.append(_assistant_message(turn["content"], at))
    return messages


def _user_messages(content: Any, at: str) -> list[JsonObject]:
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    places = [(block, f"{at}/{index}") for index, block in enumerate(content)]
    results = [_tool_message(block, place) for block, place in places if block["type"] == "tool_result"]
    parts = [_part(block, place) for block, place in places if block["type"] != "tool_result"]
    if parts or not results:
        return [*results, {"role": "user", "content": _compact(parts)}]
    return results


def _tool_message(block: JsonObject, at: str) -> JsonObject:
    known = ("type", "tool_use_id", "content", "is_error", *_HINTS)
    only(block, known, at)
    content = _texts(block.get("content") or "", child(at, "content"))
    if block.get("is_error") is True:
        if isinstance(content, str):
            content = ERROR_PREFIX + content
        else:
            content.insert(0, {"type": "text", "text": ERROR_PREFIX})
    return {"role": "tool", "tool_call_id": block["tool_use_id"], "content": content}


def _assistant_message(content: Any, at: str) -> JsonObject:
    if isinstance(content, str):
        return {"role": "assistant", "content": content}
    texts: list[JsonObject] = []
    calls: list[JsonObject] = []
    reasoning: list[str] = []
    for index, block in enumerate(content):
        place = f"{at}/{index}"
        if block["type"] == "tool_use":
            calls.append(_tool_call(block, place))
        elif block["type"] in ("thinking", "redacted_thinking"):
            if block.get("signature") == UNSIGNED_THINKING:
                reasoning.append(str(block.get("thinking", "")))
        else:
            texts.append(_text_part(block, place))
    message: JsonObject = {"role": "assistant", "content": _compact(texts) or (None if calls else "")}
    if reasoning:
        message["reasoning_content"] = "".join(reasoning)
    if calls:
        message["tool_calls"] = calls
    return message


def _tool_call(block: JsonObject, at: str) -> JsonObject:
    caller = mapping(block.get("caller")).get("type", "direct")
    if caller != "direct":
        raise Untranslatable.at(
            child(at, "caller"), f"only direct calls can be sent here, not {shown(caller)}"
        )
    only(block, ("type", "id", "name", "input", "caller", *_HINTS), at)
    arguments = msgspec.json.encode(block["input"]).decode()
    return {
        "id": block["id"],
        "type": "function",
        "function": {"name": block["name"], "arguments": arguments},
    }


def _texts(content: Any, at: str) -> str | list[JsonObject]:
    if isinstance(content, str):
        return content
    return _compact([_text_part(block, f"{at}/{index}") for index, block in enumerate(content)])


def _compact(parts: list[JsonObject]) -> str | list[JsonObject]:
    """Write content of one text as a plain string, which every OpenAI-dialect server takes."""
    if not parts:
        return ""
    alone = len(parts) == 1 and parts[0]["type"] == "text"
    return str(parts[0]["text"]) if alone else parts


def _part(block: JsonObject, at: str) -> JsonObject:
    translate = _PARTS.get(block["type"])
    if translate is None:
        detail = f"{shown(block['type'])} blocks cannot be sent to this model; use text, images or PDF files"
        raise Untranslatable.at(child(at, "type"), detail)
    return translate(block, at)


def _text_part(block: JsonObject, at: str) -> JsonObject:
    if block["type"] != "text":
        detail = f"only text can stand here for this model, not {shown(block['type'])}"
        raise Untranslatable.at(child(at, "type"), detail)
    return _text(block, at)


def _text(block: JsonObject, at: str) -> JsonObject:
    only({**block, "citations": block.get("citations") or None}, ("type", "text", *_HINTS), at)
    return {"type": "text", "text": block["text"]}


def _image(block: JsonObject, at: str) -> JsonObject:
    only(block, ("type", "source", *_HINTS), at)
    source = block["source"]
    if source["type"] == "url":
        url = str(source.get("url"))
    elif source["type"] == "base64":
        url = _data_url(source)
    else:
        raise Untranslatable.at(child(at, "source"), f"must be base64 or url, not {shown(source['type'])}")
    return {"type": "image_url", "image_url": {"url": url}}


def _document(block: JsonObject, at: str) -> JsonObject:
    citations = mapping(block.get("citations")).get("enabled") or None
    only({**block, "citations": citations}, ("type", "source", "title", *_HINTS), at)
    source = block["source"]
    if source["type"] == "base64":
        return {
            "type": "file",
            "file": {"filename": block.get("title") or "document.pdf", "file_data": _data_url(source)},
        }
    if source["type"] == "text":
        only(block, ("type", "source", "citations", *_HINTS), at)
        return {"type": "text", "text": str(source.get("data", ""))}
    detail = f"must be base64 or text, not {shown(source['type'])}"
    raise Untranslatable.at(child(at, "source"), detail)


def _data_url(source: JsonObject) -> str:
    return f"data:{source.get('media_type')};base64,{source.get('data')}"


_PARTS: dict[str, Callable[[JsonObject, str], JsonObject]] = {
    "text": _text,
    "image": _image,
    "document": _document,
}
