"""Refuses writes that another site makes with the console's cookie (cross-site request forgery)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from domain.kernel.errors import Forbidden

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def require_same_origin(method: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raise Forbidden for an unsafe request that a browser says comes from another origin.

    The algorithm is that of Go's net/http.CrossOriginProtection: `Sec-Fetch-Site` decides where browsers
    send it, otherwise `Origin` must name this host; a request with neither does not come from a browser.
    """
    if method in SAFE_METHODS:
        return
    found = {name: value.decode("latin-1") for name, value in headers}
    site = found.get(b"sec-fetch-site")
    if site is not None:
        if site in {"same-origin", "none"}:
            return
        raise Forbidden("this write comes from another site; use the console itself or an API key")
    origin = found.get(b"origin")
    if origin is not None and urlsplit(origin).netloc != found.get(b"host"):
        raise Forbidden("this write comes from another origin; use the console itself or an API key")
