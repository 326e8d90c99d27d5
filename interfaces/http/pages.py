"""Lists come in pages: `limit` and an opaque `cursor` in, `{items, next_cursor}` out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

import msgspec

from domain.kernel.errors import InvalidInput

T = TypeVar("T")
LARGEST: Final = 2**63


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list; `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None = None

    @classmethod
    def of(cls, found: Sequence[T], limit: int, cursor: Callable[[T], str]) -> Page[T]:
        """Return a page from what a query for one item more than `limit` has found."""
        items = list(found[:limit])
        return cls(items, cursor(items[-1]) if len(found) > limit else None)


def cursor_of(kind: str, *keys: str | int) -> str:
    """Return the opaque cursor of the place behind an item, told by its sort keys."""
    return base64.urlsafe_b64encode(msgspec.json.encode([kind, *keys])).rstrip(b"=").decode()


def place_of(cursor: str, kind: str, *types: type) -> tuple[str | int, ...]:
    """Return the sort keys in a cursor of a kind of list. Raises InvalidInput for any other cursor."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found = msgspec.json.decode(raw, type=list[str | int])
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise _unusable() from error
    keys = tuple(found[1:])
    large = any(isinstance(key, int) and abs(key) >= LARGEST for key in keys)
    if found[:1] != [kind] or [type(key) for key in keys] != list(types) or large:
        raise _unusable()
    return keys


def _unusable() -> InvalidInput:
    return InvalidInput.at("/cursor", "this is no cursor of this list; leave it out to start anew")
