"""Translates a Messages request into a chat-completions request, or names what cannot be said there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from application.orchestration.dialects.model import JsonObject, Untranslatable
from application.orchestration.dialects.shape import child, shown
from application.orchestration.dialects.to_openai_messages import openai_messages
from application.orchestration.dialects.translation import Refusal, only, pass_rest, refuse_untranslatable

REFUSED: Mapping[str, Refusal] = {
    "container": Refusal((), "leave it out"),
    "context_management": Refusal(({},), "leave it out"),
    "mcp_servers": Refusal(([],), "leave it out"),
    "inference_geo": Refusal((), "leave it out, or use a provider that can bind the region"),
    "speed": Refusal(("standard",), "leave it out"),
    "diagnostics": Refusal(({},), "leave it out"),
    "user_profile_id": Refusal((), "leave it out; `metadata.user_id` names the end user"),
    "workspace_id": Refusal((), "leave it out"),
}
"""Fields whose effect chat completions cannot produce."""

HINTS = frozenset({"cache_control"})
"""Fields that may change cost or speed and never the answer; they are not sent, wherever they stand."""

_TRANSLATED = frozenset(
    {
        *("model", "messages", "system", "stream", "max_tokens", "temperature", "top_p", "stop_sequences"),
        *("metadata", "tools", "tool_choice", "thinking", "output_config", "output_format", "service_tier"),
    }
)
_HANDLED = _TRANSLATED | HINTS | REFUSED.keys()
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_SERVICE_TIER = {"auto": "auto", "standard_only": "default"}
_TOOL_HINTS = ("cache_control", "eager_input_streaming")
SCHEMA_NAME = "response"


def to_openai(body: JsonObject) -> JsonObject:
    """Return the chat body of a validated Messages body, without model, max_tokens and stream.

    Raises Untranslatable naming the field.
    """
    refuse_untranslatable(body, REFUSED)
    out: JsonObject = {"messages": openai_messages(body.get("system"), body["messages"])}
    for field, write in _WRITERS.items():
        if body.get(field) is not None:
            write(body[field], out)
    _write_tool_choice(body, out)
    _write_thinking(body, out)
    pass_rest(body, _HANDLED, out)
    return out


def _copy(field: str) -> Callable[[Any, JsonObject], None]:
    def write(value: Any, out: JsonObject) -> None:
        out[field] = value

    return write


def _write_stop_sequences(value: list[str], out: JsonObject) -> None:
    if value:
        out["stop"] = value


def _write_metadata(value: JsonObject, out: JsonObject) -> None:
    only(value, ("user_id",), "/metadata")
    if value.get("user_id") is not None:
        out["user"] = value["user_id"]


def _write_service_tier(value: object, out: JsonObject) -> None:
    tier = _SERVICE_TIER.get(value) if isinstance(value, str) else None
    if tier is None:
        raise Untranslatable.at("/service_tier", f"must be auto or standard_only, not {shown(value)}")
    out["service_tier"] = tier


def _write_tools(value: list[JsonObject], out: JsonObject) -> None:
    if value:
        out["tools"] = [_tool(tool, f"/tools/{index}") for index, tool in enumerate(value)]


def _tool(tool: JsonObject, at: str) -> JsonObject:
    if tool.get("type") not in (None, "custom"):
        raise Untranslatable.at(
            child(at, "type"),
            f"{shown(tool['type'])} runs at Anthropic only; use a tool with an input_schema",
        )
    known = {**tool, "allowed_callers": None} if tool.get("allowed_callers") == ["direct"] else tool
    known = {**known, "defer_loading": known.get("defer_loading") or None}
    only(known, ("type", "name", "description", "input_schema", "strict", *_TOOL_HINTS), at)
    function = {"name": tool["name"], "parameters": tool["input_schema"]}
    if tool.get("description") is not None:
        function["description"] = tool["description"]
    if tool.get("strict") is not None:
        function["strict"] = tool["strict"]
    return {"type": "function", "function": function}


def _write_output_config(value: JsonObject, out: JsonObject) -> None:
    only(value, ("effort", "format"), "/output_config")
    if value.get("effort") is not None:
        if value["effort"] not in _EFFORTS:
            detail = f"must be one of {', '.join(_EFFORTS)}, not {shown(value['effort'])}"
            raise Untranslatable.at("/output_config/effort", detail)
        out["reasoning_effort"] = value["effort"]
    if value.get("format") is not None:
        _write_format(value["format"], out, "/output_config/format")


def _write_output_format(value: object, out: JsonObject) -> None:
    _write_format(value, out, "/output_format")


def _write_format(value: object, out: JsonObject, at: str) -> None:
    if not isinstance(value, dict) or value.get("type") != "json_schema":
        raise Untranslatable.at(child(at, "type"), "must be an object of type json_schema")
    only(value, ("type", "schema"), at)
    if not isinstance(value.get("schema"), dict):
        raise Untranslatable.at(child(at, "schema"), "must be a JSON schema")
    if "response_format" in out:
        raise Untranslatable.at(at, "output_config.format says the same; keep one")
    schema = {"name": SCHEMA_NAME, "schema": value["schema"], "strict": True}
    out["response_format"] = {"type": "json_schema", "json_schema": schema}


def _write_tool_choice(body: JsonObject, out: JsonObject) -> None:
    choice = body.get("tool_choice")
    if choice is None:
        return
    if "tools" not in out:
        if choice["type"] in ("auto", "none"):
            return
        raise Untranslatable.at("/tool_choice", "needs `tools` to choose from")
    at = "/tool_choice"
    only(choice, ("type", "name", "disable_parallel_tool_use"), at)
    if choice["type"] == "tool":
        if not isinstance(choice.get("name"), str):
            raise Untranslatable.at(child(at, "name"), "must name the tool")
        out["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    else:
        kinds = {"auto": "auto", "any": "required", "none": "none"}
        if choice["type"] not in kinds:
            raise Untranslatable.at(
                child(at, "type"), f"must be auto, any, tool or none, not {shown(choice['type'])}"
            )
        out["tool_choice"] = kinds[choice["type"]]
    if choice.get("disable_parallel_tool_use") is True:
        out["parallel_tool_calls"] = False


def _write_thinking(body: JsonObject, out: JsonObject) -> None:
    """Say how much to think; a budget becomes the effort that its share of max_tokens suggests."""
    thinking = body.get("thinking")
    if thinking is None or thinking["type"] == "adaptive":
        return
    only(thinking, ("type", "budget_tokens", "display"), "/thinking")
    if thinking["type"] == "disabled":
        if "reasoning_effort" in out:
            detail = "this model's provider takes one of effort and disabled thinking; keep one"
            raise Untranslatable.at("/output_config/effort", detail)
        effort = "none"
    elif thinking["type"] == "enabled":
        effort = _effort_of_budget(thinking.get("budget_tokens"), body.get("max_tokens"))
    else:
        raise Untranslatable.at(
            "/thinking/type", f"only adaptive, enabled and disabled exist here, not {shown(thinking['type'])}"
        )
    out.setdefault("reasoning_effort", effort)


def _effort_of_budget(budget: object, max_tokens: object) -> str:
    if not isinstance(budget, int) or not isinstance(max_tokens, int) or max_tokens <= 0:
        raise Untranslatable.at("/thinking/budget_tokens", f"must be an integer, not {shown(budget)}")
    share = budget / max_tokens
    return "low" if share < 1 / 3 else "medium" if share < 2 / 3 else "high"


_WRITERS: Mapping[str, Callable[[Any, JsonObject], None]] = {
    "temperature": _copy("temperature"),
    "top_p": _copy("top_p"),
    "stop_sequences": _write_stop_sequences,
    "metadata": _write_metadata,
    "service_tier": _write_service_tier,
    "tools": _write_tools,
    "output_config": _write_output_config,
    "output_format": _write_output_format,
}
