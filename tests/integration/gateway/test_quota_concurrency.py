"""400 requests at once at a cap for 100, through the whole gateway, on one process and on two."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiohttp import web

from tests.integration.gateway.live import HELLO, Live, LiveTenant

pytestmark = pytest.mark.asyncio(loop_scope="session")
CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "gated/any", "messages": HELLO, "max_tokens": 20}
ANSWER = {
    "id": "a",
    "object": "chat.completion",
    "created": 1,
    "model": "any",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
}
OFFERED, ADMITTED = 400, 100


class Gated:
    """A provider that answers nobody until it is opened."""

    def __init__(self) -> None:
        self.asked = 0
        self.opened = asyncio.Event()

    async def handle(self, _request: web.Request) -> web.Response:
        """Count a request, and wait."""
        self.asked += 1
        await self.opened.wait()
        return web.json_response(ANSWER)


@asynccontextmanager
async def gated() -> AsyncIterator[tuple[Gated, str]]:
    provider = Gated()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", provider.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    try:
        yield provider, f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def settled(tenant: LiveTenant) -> dict[str, Any]:
    """Return the quota once nothing is held."""
    async with asyncio.timeout(60):
        while (found := await tenant.call("GET", "/usage/quota"))["held"]:  # noqa: ASYNC110 - nothing rings
            await asyncio.sleep(0.1)
    return dict(found)


@pytest.mark.parametrize("processes", [1, 2])
async def test_given_400_at_once_and_a_cap_for_100_then_exactly_100_succeed(
    pair: tuple[Live, Live], processes: int
) -> None:
    async with gated() as (provider, url):
        tenant = await pair[0].tenant()
        await tenant.provider("gated", "openai", url)
        await tenant.call("PUT", "/usage/quota", json={"monthly_token_limit": 10**6})
        dry = await tenant.post(CHAT, json=BODY, headers={"x-aios-dry-run": "1"})
        bound = int(dry.headers["x-aios-quota-reserved"])
        await tenant.call("PUT", "/usage/quota", json={"monthly_token_limit": ADMITTED * bound})
        refused = 0

        async def ask(http: httpx.AsyncClient) -> int:
            nonlocal refused
            answer = await http.post(CHAT, json=BODY)
            refused += answer.status_code == 429
            if refused == OFFERED - ADMITTED:
                provider.opened.set()
            return answer.status_code

        headers = {"authorization": f"Bearer {tenant.key}"}
        limits = httpx.Limits(max_connections=None)
        clients = [
            httpx.AsyncClient(base_url=live.http.base_url, headers=headers, timeout=300, limits=limits)
            for live in pair[:processes]
        ]
        try:
            asked = (ask(clients[number % processes]) for number in range(OFFERED))
            outcomes = collections.Counter(await asyncio.gather(*asked))
        finally:
            for client in clients:
                await client.aclose()
        assert outcomes == {200: ADMITTED, 429: OFFERED - ADMITTED}
        assert provider.asked == ADMITTED
        quota = await settled(tenant)
        summary = await tenant.call("GET", "/usage/summary")
        assert quota["used"] == summary["total_tokens"] == 12 * ADMITTED
