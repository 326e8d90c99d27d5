"""Takes gateway requests past the router: they have no parameters to parse and no response to negotiate.

The routes themselves stay in the application, for its documentation and for what is rare.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from litestar.enums import ScopeType
from litestar.exceptions import ClientException, HTTPException
from litestar.types import ASGIApp, Receive, Scope, Send

from interfaces.http.gateway import LARGEST_BODY, OPERATIONS, has_key, respond
from interfaces.http.services import services_of

TOO_LARGE: Final = f"the request body is too large; send at most {LARGEST_BODY} bytes"


class GatewayShortcut:
    """Serves POST at the gateway's paths; everything else, and repeatable requests, goes to the router."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if (
            scope["type"] != ScopeType.HTTP
            or scope["path"] not in OPERATIONS
            or scope["method"] != "POST"
            or has_key(scope)
        ):
            await self._app(scope, receive, send)
            return
        cast("dict[str, Any]", scope)["path_template"] = scope["path"]
        limit_s = None if scope.get("aios.whole") else services_of(scope).body_timeout_s

        async def read() -> bytes:
            return await read_body(receive, LARGEST_BODY, limit_s)

        answer = await respond(scope, read)
        await answer(scope, receive, send)


async def read_body(receive: Receive, limit: int, limit_s: float | None) -> bytes:
    """Return the whole body; without `limit_s` it is known to be there already.

    Raises HTTPException 413 or 408, ClientException when the client left.
    """
    if limit_s is None:
        return await _received(receive, limit)
    try:
        async with asyncio.timeout(limit_s):
            return await _received(receive, limit)
    except TimeoutError:
        detail = f"the body did not arrive within {limit_s:g} s"
        raise HTTPException(status_code=408, detail=detail) from None


async def _received(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = cast("dict[str, Any]", await receive())
        if message["type"] == "http.disconnect":
            raise ClientException("the client left before its body had arrived")
        parts.append(message["body"])
        size += len(parts[-1])
        if size > limit:
            raise HTTPException(status_code=413, detail=TOO_LARGE)
        if not message["more_body"]:
            return parts[0] if len(parts) == 1 else b"".join(parts)
