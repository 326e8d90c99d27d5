"""The fake provider and the benchmark's bare one as processes of their own, as other tests start them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anthropic
import openai
import pytest

ROOT = Path(__file__).resolve().parents[2]
QUESTION: Any = {"role": "user", "content": "say one two three four"}


@asynccontextmanager
async def started(module: str, *arguments: str) -> AsyncIterator[str]:
    """Runs a module until the block ends; yields the URL it listens on."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, "--port", "0", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        port = int(await asyncio.wait_for(process.stdout.readline(), 30))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_fake_provider_is_scripted_over_http() -> None:
    async with started("tests.fakes.upstream") as url, aiohttp.ClientSession(url) as control:
        await control.post("/_fake/script", json={"behaviours": ["429=2"], "model": "gpt-x"})
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client:
            with pytest.raises(openai.RateLimitError):
                await client.chat.completions.create(model="gpt-x", messages=[QUESTION])
            await client.chat.completions.create(model="gpt-x", messages=[QUESTION])
        seen = json.loads(await (await control.get("/_fake/requests")).read())
        await control.delete("/_fake/requests")
        cleared = json.loads(await (await control.get("/_fake/requests")).read())

    assert [request["json"]["model"] for request in seen] == ["gpt-x", "gpt-x"]
    assert all(request["answered"] and not request["closed"] for request in seen)
    assert cleared == []


@pytest.mark.parametrize("gap", ["0", "1"])
async def test_bare_provider_of_the_benchmarks_speaks_both_dialects(gap: str) -> None:
    async with started("benchmarks.upstream", "--gap-ms", gap) as url:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client:
            made = await client.chat.completions.create(model="bench", messages=[QUESTION])
            stream = await client.chat.completions.create(model="bench", messages=[QUESTION], stream=True)
            chunks = [chunk async for chunk in stream]
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0) as other:
            message = await other.messages.create(model="bench", max_tokens=50, messages=[QUESTION])
            async with other.messages.stream(model="bench", max_tokens=50, messages=[QUESTION]) as events:
                final = await events.get_final_message()

    assert made.usage is not None
    assert made.usage.completion_tokens == message.usage.output_tokens == final.usage.output_tokens == 12
    assert len([chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]) == 12
    assert chunks[-1].usage == made.usage
    assert [block.text for block in final.content if block.type == "text"] == [
        made.choices[0].message.content
    ]
