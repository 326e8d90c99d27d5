"""Decodes JSON bodies strictly, and says where the first unusable field stands."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import msgspec
from litestar.exceptions import ClientException

from domain.kernel.errors import FieldError, InvalidInput

MAX_DEPTH: Final = 100
TOO_DEEP: Final = f"the body is nested more than {MAX_DEPTH} levels deep"
PATH: Final = re.compile(r" - at `\$(?P<path>.*)`$")
UNKNOWN_FIELD: Final = re.compile(r"^Object contains unknown field `(?P<name>.*)`$")
MISSING_FIELD: Final = re.compile(r"^Object missing required field `(?P<name>.*)`$")
STEP: Final = re.compile(r"\.(?P<field>[^.\[]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")
NUL: Final = b"\\u0000"
STRINGS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def decode_body(raw: bytes, target: Any) -> Any:
    """Decode a JSON body into `target`, without converting between JSON types.

    Raises ClientException (400) when it is not JSON (bad syntax or UTF-8, NaN, nested too deeply) and
    InvalidInput when it is JSON of another shape; unknown fields are named by their JSON pointer.
    """
    if not raw:
        raise InvalidInput.at("", "the request needs a JSON body")
    try:
        value = _decoder(target).decode(raw)
    except msgspec.ValidationError as error:
        raise shape_error(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ClientException(f"the body is not JSON in UTF-8: {error}") from error
    except RecursionError as error:
        raise ClientException(TOO_DEEP) from error
    if nesting(raw) > MAX_DEPTH:
        raise ClientException(TOO_DEEP)
    if NUL in raw:
        refuse_nul(msgspec.json.decode(raw))
    return value


def shape_error(message: str) -> InvalidInput:
    """Translate msgspec's message into an error with a JSON pointer: `/rules/1/colour`."""
    text, pointer = message, ""
    if found := PATH.search(message):
        text = message[: found.start()]
        pointer = _pointer(found["path"])
    if unknown := UNKNOWN_FIELD.match(text):
        pointer = f"{pointer}/{_escaped(unknown['name'])}"
        text = "this field is not known here; remove it"
    elif missing := MISSING_FIELD.match(text):
        pointer = f"{pointer}/{_escaped(missing['name'])}"
        text = "this field is required"
    else:
        text = text[:1].lower() + text[1:].replace("`", "")
    return InvalidInput(f"{pointer}: {text}" if pointer else text, [FieldError(pointer, text)])


def nesting(raw: bytes) -> int:
    """Return how deeply valid JSON nests objects and arrays; 0 when it cannot be more than MAX_DEPTH."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for bracket in STRINGS.sub(b"", raw).translate(None, NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def refuse_nul(value: Any, pointer: str = "") -> None:
    """Raise InvalidInput when a text anywhere in a decoded JSON value holds U+0000, which no store takes."""
    if isinstance(value, str) and "\0" in value:
        raise InvalidInput.at(pointer, "texts cannot hold the character U+0000; remove it")
    if isinstance(value, dict):
        for key, item in value.items():
            refuse_nul(key, f"{pointer}/{_escaped(key)}")
            refuse_nul(item, f"{pointer}/{_escaped(key)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            refuse_nul(item, f"{pointer}/{index}")


@cache
def _decoder(target: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(target)


def _pointer(path: str) -> str:
    steps = (found["field"] or found["index"] for found in STEP.finditer(path))
    return "".join(f"/{_escaped(step)}" for step in steps if step)


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1").replace("\0", "\ufffd")
