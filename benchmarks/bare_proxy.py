"""The least a Python gateway can do: Litestar, uvicorn and aiohttp passing bytes on, and nothing else.

`python -m benchmarks.bare_proxy UPSTREAM_URL` prints its port and then serves.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn
from litestar import Litestar, Request, Response, post
from litestar.response import Stream

from interfaces.http.server import listen


def application(upstream: str) -> Litestar:
    """Return a proxy for one route of one upstream."""
    sessions: list[aiohttp.ClientSession] = []

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            sessions.append(session)
            yield

    @post("/v1/chat/completions", status_code=200)
    async def completions(request: Request[Any, Any, Any]) -> Response[Any]:
        body = await request.body()
        answer = await sessions[0].post(
            f"{upstream}/v1/chat/completions", data=body, headers={"content-type": "application/json"}
        )
        if answer.content_type == "text/event-stream":
            return Stream(answer.content.iter_any(), media_type="text/event-stream")
        return Response(await answer.read(), media_type="application/json")

    return Litestar([completions], lifespan=[lifespan], openapi_config=None, logging_config=None)


def main() -> None:
    """Serve until SIGTERM."""
    sock = listen("127.0.0.1", 0)
    print(sock.getsockname()[1], flush=True)
    config = uvicorn.Config(
        application(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_config=None
    )
    uvicorn.Server(config).run(sockets=[sock])


if __name__ == "__main__":
    main()
