"""The embedded language model, asked by both official SDKs through the product's default route."""

from __future__ import annotations

import pytest

from tests.integration.gateway.live import HELLO, Live, LiveTenant

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]


async def test_it_answers_both_sdks_and_the_summary_is_what_they_reported(live: Live) -> None:
    tenant: LiveTenant = await live.tenant()
    chat = await tenant.openai().chat.completions.with_raw_response.create(
        model="auto", messages=HELLO, max_tokens=12
    )
    answer = chat.parse()
    assert answer.choices[0].message.content
    assert answer.usage is not None
    message = await tenant.anthropic().messages.create(model="auto", messages=HELLO, max_tokens=12)
    assert message.content[0].type == "text"
    assert message.content[0].text
    summary = await tenant.call("GET", "/usage/summary")
    assert summary["input_tokens"] == answer.usage.prompt_tokens + message.usage.input_tokens
    assert summary["output_tokens"] == answer.usage.completion_tokens + message.usage.output_tokens
    record = await tenant.record(chat.headers["x-request-id"])
    assert (record["provider"], record["usage_source"], record["cost_micros"]) == ("local", "provider", 0)


async def test_it_streams_to_both_sdks(live: Live) -> None:
    tenant = await live.tenant()
    chunks = [
        chunk
        async for chunk in await tenant.openai().chat.completions.create(
            model="auto",
            messages=HELLO,
            max_tokens=12,
            stream=True,
            stream_options={"include_usage": True},
        )
    ]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    used = chunks[-1].usage
    assert used is not None
    async with tenant.anthropic().messages.stream(model="auto", messages=HELLO, max_tokens=12) as stream:
        said = "".join([text async for text in stream.text_stream])
        final = await stream.get_final_message()
    assert said
    summary = await tenant.call("GET", "/usage/summary")
    assert summary["output_tokens"] == used.completion_tokens + final.usage.output_tokens
    assert summary["estimated_share"] == 0


async def test_the_same_seed_and_no_temperature_repeat_themselves(live: Live) -> None:
    tenant = await live.tenant()
    said = [
        (
            await tenant.openai().chat.completions.create(
                model="auto", messages=HELLO, max_tokens=8, temperature=0, seed=7
            )
        )
        .choices[0]
        .message.content
        for _ in range(2)
    ]
    assert said[0] == said[1]


async def test_it_embeds(live: Live) -> None:
    tenant = await live.tenant()
    answer = await tenant.openai().embeddings.create(model="auto", input=["a cat", "tax law"])
    assert [len(item.embedding) for item in answer.data] == [576, 576]
    assert any(answer.data[0].embedding)
    assert answer.data[0].embedding != answer.data[1].embedding
    summary = await tenant.call("GET", "/usage/summary")
    assert (summary["input_tokens"], summary["estimated_share"]) == (answer.usage.prompt_tokens, 0)
