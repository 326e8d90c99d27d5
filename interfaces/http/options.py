"""Answers OPTIONS with all methods of a path.

Litestar's own answer lists the methods of the handler that was registered first.
"""

from __future__ import annotations

from litestar import Response
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send

from interfaces.http.request import ApiRequest


class Options:
    """Tells anybody which methods a path takes; every other request goes on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope.get("method") != "OPTIONS":
            await self._app(scope, receive, send)
            return
        app = scope["litestar_app"]
        methods = {
            method
            for route in app.routes
            if isinstance(route, HTTPRoute) and route.path_format == scope["path_template"]
            for method in route.methods
        }
        response = Response(None, status_code=204, headers={"allow": ", ".join(sorted(methods))})
        answer = response.to_asgi_response(app=None, request=ApiRequest(scope, receive, send))
        await answer(scope, receive, send)
