"""The official SDKs in front of a workspace whose policy scrubs: answers, streams, tools, errors, records."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest
from openai.types.chat import ChatCompletionToolParam
from pydantic import BaseModel

from tests.fakes.upstream_behaviour import Behaviour
from tests.integration.gateway.live import Live, LiveTenant

pytestmark = pytest.mark.asyncio(loop_scope="session")

MAIL = "ann@example.org"
ASKED: list[Any] = [{"role": "user", "content": f"Please write to {MAIL} for me."}]
SAID = f"I wrote to {MAIL} this very morning, as you asked."
CLEAN = "I wrote to [EMAIL] this very morning, as you asked."
MODELS = ["up/any", "cl/any"]


class Letter(BaseModel):
    """What a structured answer must look like."""

    to: str


async def scrub(live: Live, tenant: LiveTenant, **pii: Any) -> str:
    """Set the policy of a workspace of its own and return its name."""
    workspace = f"pii-{len(pii)}-{abs(hash(tuple(sorted(pii.items()))))}"
    body = {"workspace_id": workspace, "rules": [], "record_content": True, "pii": pii}
    await live.call(tenant.key, "POST", "/model-policy/set", json=body)
    return workspace


def in_(workspace: str) -> dict[str, str]:
    """The header that names a workspace."""
    return {"x-aios-workspace": workspace}


@pytest.mark.parametrize("model", MODELS)
async def test_prompts_are_scrubbed_and_the_record_counts(live: Live, tenant: LiveTenant, model: str) -> None:
    workspace = await scrub(live, tenant, prompts="placeholder")
    raw = await tenant.openai().chat.completions.with_raw_response.create(
        model=model, messages=ASKED, extra_headers=in_(workspace)
    )
    record = await tenant.record(raw.headers["x-request-id"])
    assert MAIL.encode() not in live.upstream.requests[-1].body
    assert b"[EMAIL]" in live.upstream.requests[-1].body
    assert (raw.headers["x-aios-pii"], record["pii"]["in_prompt"]) == ("EMAIL=1", {"EMAIL": 1})
    assert record["pii"]["detector_version"] >= 2
    assert MAIL not in str(record)


@pytest.mark.parametrize("model", MODELS)
async def test_streams_of_both_sdks_are_scrubbed(live: Live, tenant: LiveTenant, model: str) -> None:
    workspace = await scrub(live, tenant, answers="placeholder")
    live.upstream.script(Behaviour(text=SAID, split=11), Behaviour(text=SAID))
    chunks = await tenant.openai().chat.completions.create(
        model=model, messages=ASKED, stream=True, extra_headers=in_(workspace)
    )
    text = "".join([c.choices[0].delta.content or "" async for c in chunks if c.choices])
    assert text == CLEAN
    async with tenant.anthropic().messages.stream(
        model=model, max_tokens=64, messages=ASKED, extra_headers=in_(workspace)
    ) as stream:
        final = await stream.get_final_message()
    assert final.content[0].type == "text"
    assert final.content[0].text == CLEAN
    assert final.stop_reason == "end_turn"


@pytest.mark.parametrize("model", MODELS)
async def test_streamed_tools_and_structured_output_stay_valid(
    live: Live, tenant: LiveTenant, model: str
) -> None:
    workspace = await scrub(live, tenant, answers="redact")
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"to": {"const": MAIL}, "card": {"const": 4111111111111111}},
    }
    tool: ChatCompletionToolParam = {
        "type": "function",
        "function": {"name": "send", "description": "d", "parameters": schema},
    }
    async with tenant.openai().chat.completions.stream(
        model=model, messages=ASKED, tools=[tool], extra_headers=in_(workspace)
    ) as openai_stream:
        completion = await openai_stream.get_final_completion()
    calls = completion.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].function.arguments.replace(" ", "") == '{"to":"[REDACTED]","card":"[REDACTED]"}'
    async with tenant.anthropic().messages.stream(
        model=model,
        max_tokens=64,
        messages=ASKED,
        tools=[{"name": "send", "description": "d", "input_schema": schema}],
        extra_headers=in_(workspace),
    ) as stream:
        message = await stream.get_final_message()
    uses = [block.input for block in message.content if block.type == "tool_use"]
    assert uses == [{"to": "[REDACTED]", "card": "[REDACTED]"}]


async def test_structured_output_still_parses(live: Live, tenant: LiveTenant) -> None:
    workspace = await scrub(live, tenant, answers="placeholder")
    answer = await tenant.openai().chat.completions.parse(
        model="up/any", messages=ASKED, response_format=Letter, extra_headers=in_(workspace)
    )
    assert answer.choices[0].message.parsed is not None


async def test_pseudonyms_come_back_in_a_stream(live: Live, tenant: LiveTenant) -> None:
    workspace = await scrub(live, tenant, prompts="pseudonym", restore=True)
    asked: dict[str, Any] = {
        "model": "up/any",
        "messages": ASKED,
        "extra_headers": {**in_(workspace), "x-aios-user": "u1"},
    }
    await tenant.openai().chat.completions.create(**asked)
    sent = live.upstream.requests[-1].json["messages"][0]["content"]
    token = sent.removeprefix("Please write to ").removesuffix(" for me.")
    live.upstream.script(Behaviour(text=f"Done, {token} has it.", split=6))
    chunks = await tenant.openai().chat.completions.create(**asked, stream=True)
    text = "".join([c.choices[0].delta.content or "" async for c in chunks if c.choices])
    assert text == f"Done, {MAIL} has it."
    body = {"text": sent, "purpose": "a test of the way back"}
    back = await live.call(tenant.key, "POST", "/pii/reveal", json=body)
    assert back["text"] == ASKED[0]["content"]


async def test_blocked_prompts_are_errors_of_each_dialect(live: Live, tenant: LiveTenant) -> None:
    workspace = await scrub(live, tenant, prompts="block")
    before = len(live.upstream.requests)
    with pytest.raises(openai.BadRequestError) as one:
        await tenant.openai().chat.completions.create(
            model="up/any", messages=ASKED, extra_headers=in_(workspace)
        )
    with pytest.raises(anthropic.BadRequestError) as two:
        await tenant.anthropic().messages.create(
            model="up/any", max_tokens=5, messages=ASKED, extra_headers=in_(workspace)
        )
    assert one.value.code == "pii_blocked"
    assert isinstance(two.value.body, dict)
    assert two.value.body["error"]["details"]["error_code"] == "pii_blocked"
    assert MAIL not in str(one.value) + str(two.value)
    assert len(live.upstream.requests) == before
    record = await tenant.record(one.value.response.headers["x-request-id"])
    assert (record["outcome"], record["error_code"]) == ("failed", "pii_blocked")


async def test_a_blocked_answer_ends_its_stream_with_an_error(live: Live, tenant: LiveTenant) -> None:
    workspace = await scrub(live, tenant, answers="block")
    live.upstream.script(Behaviour(text=SAID))
    chunks = await tenant.openai().chat.completions.create(
        model="up/any", messages=ASKED, stream=True, extra_headers=in_(workspace)
    )
    with pytest.raises(openai.APIError, match="personal data"):
        assert MAIL not in "".join([c.choices[0].delta.content or "" async for c in chunks if c.choices])
