"""An endpoint for webhooks: a real server that keeps what it got and answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from application.webhooks.signing import signature


class Received(msgspec.Struct, frozen=True):
    """One request."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    def verifies(self, secret: str) -> bool:
        """Tell whether it is signed with the secret."""
        timestamp = int(self.headers["webhook-timestamp"])
        expected = signature(secret, self.message_id, timestamp, self.body)
        return expected in self.headers["webhook-signature"].split()


class Receiver:
    """`answers` are the statuses to come, then 204; while `gate` is not set, requests wait for it."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[Received] = []
        self.answers: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def handle(self, request: web.Request) -> web.Response:
        """Keep a request, and answer."""
        self.received.append(
            Received({n.lower(): v for n, v in request.headers.items()}, await request.read())
        )
        status = self.answers.pop(0) if self.answers else 204
        await self.gate.wait()
        headers = {"location": "/elsewhere"} if 300 <= status < 400 else {}
        return web.Response(status=status, headers=headers)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"http://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()
