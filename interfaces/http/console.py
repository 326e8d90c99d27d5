"""Serves the admin console: built files under /admin, and its one page for every path inside it."""

from __future__ import annotations

from asyncio import to_thread
from typing import Annotated, Final

from litestar import Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter
from litestar.response import Redirect

from interfaces.http.request import ApiRequest
from interfaces.http.static_files import FOREVER, REVALIDATE, answer_file, find_file

PUBLIC: Final = {"public": True}
HASHED_FOLDER: Final = "assets/"
SECURITY_HEADERS: Final = {
    # Mantine and ECharts set styles at run time, hence 'unsafe-inline' for styles; never for scripts.
    "content-security-policy": (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; "
        "worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
}
NOT_BUILT: Final = (
    b"<!doctype html><meta charset=utf-8><title>Admin console</title>"
    b"<h1>The admin console is not built</h1><p>Run <code>aios ui build</code> and load this page again. "
    b"The API works without it: see <a href=/docs>/docs</a>.</p>"
)
FilePath = Annotated[str, PathParameter(name="path")]


@get(
    [
        "/admin",
        "/admin/{path:path}",
        "/compliance-center",
        "/compliance-center/{path:path}",
    ],
    opt=PUBLIC,
    include_in_schema=False,
)
async def console(request: ApiRequest, path: FilePath = "") -> Response[bytes]:
    """Answer a built file, or the console's page for any path that names none."""
    dist = request.services.web_dist
    name = path.lstrip("/")
    if name and (file := await to_thread(find_file, dist, name)) is not None:
        cache = FOREVER if name.startswith(HASHED_FOLDER) else REVALIDATE
        return answer_file(request, file, cache=cache, headers=SECURITY_HEADERS)
    if "." in name.rpartition("/")[2]:
        raise NotFoundException
    page = await to_thread(find_file, dist, "index.html")
    if page is None:
        return Response(NOT_BUILT, status_code=503, media_type="text/html", headers=SECURITY_HEADERS)
    return answer_file(request, page, cache=REVALIDATE, headers=SECURITY_HEADERS)


@get("/", opt=PUBLIC, include_in_schema=False)
async def home() -> Redirect:
    """Lead browsers to the console."""
    return Redirect("/admin")


@get(["/favicon.ico", "/favicon.svg"], opt=PUBLIC, include_in_schema=False)
async def favicon(request: ApiRequest) -> Response[bytes]:
    """Answer the console's icon, which browsers ask for at the root."""
    names = (request.scope["path"], "favicon.svg", "favicon.ico")
    for name in names:
        if (file := await to_thread(find_file, request.services.web_dist, name)) is not None:
            return answer_file(request, file, cache=REVALIDATE)
    raise NotFoundException


router = Router("/", route_handlers=[console, home, favicon])
