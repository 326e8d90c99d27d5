"""One answer in each dialect, with everything a stream can hold, and the request that leads to it."""

from __future__ import annotations

from typing import Any

from tests.application.orchestration.dialects.bodies import (
    MESSAGE_STOP,
    PING,
    WEATHER_SCHEMA,
    anthropic_stream,
    block_delta,
    block_start,
    block_stop,
    message_delta,
    message_start,
    openai_stream,
    usage_chunk,
)

HELLO: Any = [{"role": "user", "content": "hello"}]
FUNCTION: Any = {"type": "function", "function": {"name": "weather", "parameters": WEATHER_SCHEMA}}
TOOL: Any = {"name": "weather", "input_schema": WEATHER_SCHEMA}

ANTHROPIC_ANSWER = anthropic_stream(
    message_start(input_tokens=7, cache_read_input_tokens=3),
    PING,
    block_start(0, type="thinking", thinking="", signature=""),
    block_delta(0, type="thinking_delta", thinking="hm"),
    block_delta(0, type="signature_delta", signature="sig"),
    block_stop(0),
    block_start(1, type="text", text=""),
    block_delta(1, type="text_delta", text="Let me "),
    block_delta(1, type="text_delta", text="see"),
    block_stop(1),
    block_start(2, type="tool_use", id="t1", name="weather", input={}),
    block_delta(2, type="input_json_delta", partial_json='{"city": '),
    block_delta(2, type="input_json_delta", partial_json='"Rome"}'),
    block_stop(2),
    block_start(3, type="tool_use", id="t2", name="weather", input={}),
    block_delta(3, type="input_json_delta", partial_json='{"city": "Oslo"}'),
    block_stop(3),
    message_delta("tool_use", output_tokens=20),
    MESSAGE_STOP,
)

OPENAI_ANSWER = openai_stream(
    {"role": "assistant", "content": ""},
    {"reasoning_content": "hm"},
    {"content": "Let me "},
    {"content": "see"},
    {
        "tool_calls": [
            {"index": 0, "id": "c1", "type": "function", "function": {"name": "weather", "arguments": ""}}
        ]
    },
    {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": '}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '"Rome"}'}}]},
    {
        "tool_calls": [
            {"index": 1, "id": "c2", "type": "function", "function": {"name": "weather", "arguments": ""}}
        ]
    },
    {"tool_calls": [{"index": 1, "function": {"arguments": '{"city": "Oslo"}'}}]},
    {"finish_reason": "tool_calls"},
    usage_chunk(prompt_tokens=10, completion_tokens=20, prompt_tokens_details={"cached_tokens": 3}),
    "[DONE]",
)
