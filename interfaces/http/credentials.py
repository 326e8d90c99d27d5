"""Finds the API key of a request: in its headers only, never in its query string."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

BEARER: Final = b"bearer "


def key_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the key of `Authorization: Bearer KEY` or `x-api-key`, None without one.

    An Authorization header of another scheme counts as no key, so that clients which always send one may
    still use `x-api-key`.
    """
    plain: bytes | None = None
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == BEARER:
            return _text(value[7:])
        if name == b"x-api-key" and plain is None:
            plain = value
    return _text(plain) if plain is not None else None


def _text(value: bytes) -> str | None:
    return value.strip().decode("latin-1") or None
