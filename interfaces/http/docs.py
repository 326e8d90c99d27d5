"""Serves the API's documentation from local files alone, so that it works without any network."""

from __future__ import annotations

from asyncio import to_thread
from typing import Annotated, Any, Final

import msgspec
from litestar import MediaType, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import PathParameter

from interfaces.http.openapi import complete
from interfaces.http.request import ApiRequest
from interfaces.http.sessions import COOKIE
from interfaces.http.static_files import REVALIDATE, answer_file, find_file

PUBLIC: Final = {"public": True}
FOLDER: Final = "swagger-ui"
SECURITY_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "cache-control": "no-cache",
}
PAGE: Final = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Artisan Enterprise AIOS: API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="api">The description of the API is at <a href="/docs/openapi.json">/docs/openapi.json</a>.</div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
START: Final = b"""if (window.SwaggerUIBundle) {
  SwaggerUIBundle({
    url: "/docs/openapi.json", dom_id: "#api", deepLinking: true, docExpansion: "list",
    filter: true, persistAuthorization: false, validatorUrl: null, tryItOutEnabled: true,
  });
}
"""


class SwaggerPage(OpenAPIRenderPlugin):
    """The page at /docs; its scripts are files of their own, since the policy forbids inline ones."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Any, openapi_schema: dict[str, Any]) -> bytes:
        """Return the page; it fetches the document itself."""
        return PAGE


class CompleteDocument(JsonRenderPlugin):
    """/docs/openapi.json, rendered once per process."""

    def __init__(self) -> None:
        super().__init__(path="/openapi.json", media_type=MediaType.JSON)
        self._rendered: bytes | None = None

    def render(self, request: Any, openapi_schema: dict[str, Any]) -> bytes:
        """Return the document, completed with what Litestar does not say by itself."""
        if self._rendered is None:
            self._rendered = msgspec.json.encode(complete(openapi_schema, request.app))
        return self._rendered


def not_found_as_problem(response: Response[Any]) -> Response[Any]:
    """Replace Litestar's HTML page for unknown paths below /docs by the problem every other path answers."""
    if response.status_code == 404:
        raise NotFoundException
    return response


def openapi_config(version: str) -> OpenAPIConfig:
    """Return the configuration that serves /docs and /docs/openapi.json."""
    return OpenAPIConfig(
        title="Artisan Enterprise AIOS",
        version=version,
        description="A governed AI gateway, memory and metering on one event store.",
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(type="http", scheme="bearer", description="An API key."),
                "apiKey": SecurityScheme(type="apiKey", name="x-api-key", security_scheme_in="header"),
                "consoleCookie": SecurityScheme(type="apiKey", name=COOKIE, security_scheme_in="cookie"),
            }
        ),
        use_handler_docstrings=True,
        render_plugins=[SwaggerPage(), CompleteDocument()],
        openapi_router=Router(
            "/docs",
            route_handlers=[asset, start],
            include_in_schema=False,
            opt=PUBLIC,
            after_request=not_found_as_problem,
            response_headers=SECURITY_HEADERS,
        ),
    )


@get("/assets/{name:str}", include_in_schema=False)
async def asset(request: ApiRequest, name: Annotated[str, PathParameter()]) -> Response[bytes]:
    """Answer a file of the locally built Swagger UI."""
    file = await to_thread(find_file, request.services.web_dist / FOLDER, name)
    if file is None:
        raise NotFoundException("Swagger UI is not built; run `aios ui build`")
    return answer_file(request, file, cache=REVALIDATE)


@get("/start.js", media_type="application/javascript", include_in_schema=False)
async def start() -> bytes:
    """Answer the script that starts Swagger UI."""
    return START
