"""Translates a chat-completions request into a Messages request, or names what cannot be said there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from application.orchestration.dialects.model import JsonObject, Untranslatable
from application.orchestration.dialects.shape import child, mapping, shown
from application.orchestration.dialects.to_anthropic_messages import anthropic_messages
from application.orchestration.dialects.translation import Refusal, only, pass_rest, refuse_untranslatable

REFUSED: Mapping[str, Refusal] = {
    "n": Refusal((1,), "send one request for each answer"),
    "logprobs": Refusal((False,), "leave it out"),
    "top_logprobs": Refusal((0,), "leave it out"),
    "logit_bias": Refusal(({},), "leave it out"),
    "frequency_penalty": Refusal((0,), "leave it out"),
    "presence_penalty": Refusal((0,), "leave it out"),
    "seed": Refusal((), "leave it out"),
    "store": Refusal((False,), "leave it out"),
    "metadata": Refusal(({},), "leave it out; `user` names the end user"),
    "modalities": Refusal((["text"],), "ask for text only"),
    "audio": Refusal((), "ask for text only"),
    "functions": Refusal(([],), "use `tools`"),
    "function_call": Refusal(("none", "auto"), "use `tool_choice`"),
    "verbosity": Refusal(("medium",), "ask for it in a message"),
    "web_search_options": Refusal((), "leave it out"),
    "moderation": Refusal((), "leave it out"),
    "mcp_servers": Refusal(([],), "call /v1/messages, whose answers can hold such calls"),
    "container": Refusal((), "call /v1/messages, whose answers can hold such calls"),
}
"""Fields whose effect the Messages API cannot produce, or whose answers chat completions cannot hold."""

HINTS = frozenset({"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "prediction"})
"""Fields that may change cost or speed and never the answer; they are not sent."""

_TRANSLATED = frozenset(
    {
        *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"),
        *("temperature", "top_p", "stop", "user", "safety_identifier", "tools", "tool_choice"),
        *("parallel_tool_calls", "response_format", "reasoning_effort", "service_tier"),
    }
)
_HANDLED = _TRANSLATED | HINTS | REFUSED.keys()
_EFFORT = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_SERVICE_TIER = {"auto": "auto", "default": "standard_only"}


def to_anthropic(body: JsonObject) -> JsonObject:
    """Return the Messages body of a validated chat body, without model, max_tokens and stream.

    Raises Untranslatable naming the field.
    """
    refuse_untranslatable(body, REFUSED)
    system, messages = anthropic_messages(body["messages"])
    out: JsonObject = {"messages": messages}
    if system:
        out["system"] = system
    for field, write in _WRITERS.items():
        if body.get(field) is not None:
            write(body[field], out)
    _write_user(body, out)
    _write_tool_choice(body, out)
    pass_rest(body, _HANDLED, out)
    return out


def _write_stream_options(value: JsonObject, _out: JsonObject) -> None:
    only(
        {**value, "include_obfuscation": value.get("include_obfuscation") or None},
        ("include_usage",),
        "/stream_options",
    )


def _write_temperature(value: float, out: JsonObject) -> None:
    if not 0 <= value <= 1:
        raise Untranslatable.at(
            "/temperature", f"this model's provider takes 0 to 1, not {shown(value)}; send at most 1"
        )
    out["temperature"] = value


def _write_top_p(value: float, out: JsonObject) -> None:
    out["top_p"] = value


def _write_stop(value: str | list[str], out: JsonObject) -> None:
    sequences = [value] if isinstance(value, str) else value
    for index, sequence in enumerate(sequences):
        if not sequence.strip():
            at = "/stop" if isinstance(value, str) else f"/stop/{index}"
            raise Untranslatable.at(at, "this model's provider takes no stop text of white space alone")
    if sequences:
        out["stop_sequences"] = sequences


def _write_tools(value: list[JsonObject], out: JsonObject) -> None:
    if value:
        out["tools"] = [_tool(tool, f"/tools/{index}") for index, tool in enumerate(value)]


def _tool(tool: JsonObject, at: str) -> JsonObject:
    if tool["type"] != "function":
        raise Untranslatable.at(
            child(at, "type"), f"only function tools can be used here, not {shown(tool['type'])}"
        )
    only(tool, ("type", "function", "cache_control"), at)
    function = tool["function"]
    only(function, ("name", "description", "parameters", "strict"), child(at, "function"))
    schema = function.get("parameters") or {}
    out = {"name": function["name"], "input_schema": {"type": "object", **schema}}
    if function.get("description") is not None:
        out["description"] = function["description"]
    if function.get("strict") is not None:
        out["strict"] = function["strict"]
    if tool.get("cache_control") is not None:
        out["cache_control"] = tool["cache_control"]
    return out


def _write_response_format(value: JsonObject, out: JsonObject) -> None:
    at = "/response_format"
    if value["type"] == "text":
        return
    if value["type"] != "json_schema":
        cure = "use type json_schema with the schema you expect"
        raise Untranslatable.at(child(at, "type"), f"{shown(value['type'])} has no counterpart; {cure}")
    wanted = value["json_schema"]
    at = child(at, "json_schema")
    only(wanted, ("name", "description", "schema", "strict"), at)
    schema = wanted.get("schema")
    if not isinstance(schema, dict):
        raise Untranslatable.at(child(at, "schema"), "a JSON schema is required")
    description = wanted.get("description")
    if description and "description" not in schema:
        schema = {**schema, "description": description}
    out.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": schema}


def _write_reasoning_effort(value: str, out: JsonObject) -> None:
    if value == "none":
        out["thinking"] = {"type": "disabled"}
    elif value in _EFFORT:
        out.setdefault("output_config", {})["effort"] = _EFFORT[value]
    else:
        levels = ", ".join(("none", *_EFFORT))
        raise Untranslatable.at("/reasoning_effort", f"must be one of {levels}, not {shown(value)}")


def _write_service_tier(value: object, out: JsonObject) -> None:
    tier = _SERVICE_TIER.get(value) if isinstance(value, str) else None
    if tier is None:
        raise Untranslatable.at(
            "/service_tier", f"only auto and default have a counterpart, not {shown(value)}"
        )
    out["service_tier"] = tier


def _write_user(body: JsonObject, out: JsonObject) -> None:
    user, identifier = body.get("user"), body.get("safety_identifier")
    if user is not None and identifier is not None and user != identifier:
        raise Untranslatable.at(
            "/user", "this model's provider takes one user id; drop it or safety_identifier"
        )
    if (user or identifier) is not None:
        out["metadata"] = {"user_id": user or identifier}


def _write_tool_choice(body: JsonObject, out: JsonObject) -> None:
    choice = body.get("tool_choice")
    if "tools" not in out:
        if choice not in (None, "none", "auto"):
            raise Untranslatable.at("/tool_choice", "needs `tools` to choose from")
        return
    translated = _tool_choice(choice)
    if body.get("parallel_tool_calls") is False and translated["type"] != "none":
        translated["disable_parallel_tool_use"] = True
    if choice is not None or len(translated) > 1:
        out["tool_choice"] = translated


def _tool_choice(choice: Any) -> JsonObject:
    if isinstance(choice, dict):
        name = mapping(choice.get("function")).get("name")
        if choice["type"] == "function" and isinstance(name, str):
            return {"type": "tool", "name": name}
        raise Untranslatable.at(
            "/tool_choice/type", f"only a function can be named, not {shown(choice['type'])}"
        )
    kinds = {None: "auto", "auto": "auto", "none": "none", "required": "any"}
    if choice not in kinds:
        raise Untranslatable.at(
            "/tool_choice", f"must be auto, none, required or a function, not {shown(choice)}"
        )
    return {"type": kinds[choice]}


_WRITERS: Mapping[str, Callable[[Any, JsonObject], None]] = {
    "stream_options": _write_stream_options,
    "temperature": _write_temperature,
    "top_p": _write_top_p,
    "stop": _write_stop,
    "tools": _write_tools,
    "response_format": _write_response_format,
    "reasoning_effort": _write_reasoning_effort,
    "service_tier": _write_service_tier,
}
