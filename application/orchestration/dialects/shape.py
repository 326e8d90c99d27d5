"""Reads untrusted JSON values by the shape expected of them; anything else counts as absent."""

from __future__ import annotations

from typing import Any

from application.orchestration.dialects.model import JsonObject


def mapping(value: object) -> JsonObject:
    """Return the object, or an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """Return the array, or an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """Return the string, or an empty one."""
    return value if isinstance(value, str) else ""


def content_text(value: object) -> str:
    """Return the text of message content, given as a string or as an array of parts."""
    if isinstance(value, list):
        return "".join(text(mapping(part).get("text")) for part in value)
    return text(value)


def count(value: object) -> int | None:
    """Return a non-negative integer, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def shown(value: object, limit: int = 40) -> str:
    """Return a short printable form of a value for an error message."""
    printed = repr(value)
    return printed if len(printed) <= limit else printed[: limit - 3] + "..."


def child(pointer: str, key: str | int) -> str:
    """Return the JSON pointer (RFC 6901) of a member or item."""
    return f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
