"""What both request translations share: tables of fields without a counterpart, data URLs, tool ids."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from application.orchestration.dialects.model import JsonObject, Untranslatable
from application.orchestration.dialects.shape import child, shown


class Refusal(NamedTuple):
    """A field the other dialect lacks: the values that ask for nothing, and what the caller can do."""

    neutral: tuple[Any, ...]
    cure: str


def refuse_untranslatable(body: JsonObject, refusals: Mapping[str, Refusal], at: str = "") -> None:
    """Raise Untranslatable for the first field whose value asks for what the other dialect lacks."""
    for field, refusal in refusals.items():
        value = body.get(field)
        if value is not None and value not in refusal.neutral:
            raise Untranslatable.at(
                child(at, field), f"this model's provider has no such option; {refusal.cure}"
            )


def only(block: JsonObject, known: Collection[str], at: str) -> None:
    """Raise Untranslatable for a member that the translation of this block would lose."""
    for key, value in block.items():
        if key not in known and value is not None:
            raise Untranslatable.at(
                child(at, key), "this model's provider has no such field here; leave it out"
            )


def pass_rest(body: JsonObject, handled: Collection[str], out: JsonObject) -> None:
    """Copy the fields that the caller's dialect does not define, for the provider to judge.

    Raises Untranslatable when such a field says again what a defined one has said.
    """
    for field, value in body.items():
        if field in handled or value is None:
            continue
        if field in out:
            raise Untranslatable.at(child("", field), "another field of this request says the same; keep one")
        out[field] = value


def split_data_url(url: str) -> tuple[str, str] | None:
    """Return media type and base64 text of a `data:` URL, None for every other URL."""
    header, comma, data = url.partition(",")
    if not comma or not header.lower().startswith("data:"):
        return None
    media_type, *parameters = header[5:].split(";")
    return (media_type.lower(), data) if "base64" in parameters else None


def anthropic_tool_id(given: str, at: str) -> str:
    """Return an id of the characters Anthropic takes, the same for the same `given`, distinct otherwise."""
    if not given:
        raise Untranslatable.at(at, f"must name a tool call, not {shown(given)}")
    clean = re.sub(r"[^a-zA-Z0-9_-]", "_", given)
    return given if clean == given else f"{clean}_{zlib.crc32(given.encode()):08x}"
