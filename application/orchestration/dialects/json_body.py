"""Decodes a request body strictly, so that what is metered is what every later parser will read."""

from __future__ import annotations

import codecs
import json
import math

import msgspec

from application.orchestration.dialects.model import JsonObject
from application.orchestration.dialects.shape import child, shown
from domain.kernel.errors import FieldError, InvalidInput

MAX_DEPTH = 64
_MAX_POINTER = 512


class _DuplicateKey(msgspec.Struct):
    """Stands in for an object that names one key twice, until its place in the body is known."""

    key: str


def decode_object(raw: bytes) -> JsonObject:
    """Return the JSON object in `raw`.

    Raises InvalidInput for bad UTF-8, bad JSON (with the position), a top level that is not an object,
    duplicate keys, NaN, infinite or overflowing numbers, lone surrogates and nesting beyond MAX_DEPTH.
    """
    body = _decode(raw)
    _walk(body, "", 0)
    if not isinstance(body, dict):
        raise InvalidInput.at("", f"the body must be a JSON object, not {_kind(body)}")
    return body


def _decode(raw: bytes) -> object:
    if raw.startswith(codecs.BOM_UTF8):
        raise InvalidInput.at("", "the body starts with a byte order mark; send plain UTF-8 without one")
    try:
        return _DECODER.decode(raw.decode())
    except UnicodeDecodeError as error:
        detail = f"the body is not UTF-8: byte {error.start} is 0x{raw[error.start]:02x}"
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno} (character {error.pos})"
        detail = f"the body is not valid JSON: {error.msg}, {place}"
    except RecursionError:
        detail = f"the body is nested deeper than {MAX_DEPTH} levels"
    except ValueError:
        detail = "the body holds an integer of too many digits; write at most 4300"
    raise InvalidInput.at("", detail)


def _walk(node: object, pointer: str, depth: int) -> None:
    if isinstance(node, str):
        _refuse_surrogates(node, pointer)
    elif isinstance(node, dict | list):
        if depth == MAX_DEPTH:
            raise _invalid(pointer, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, dict):
            for key, value in node.items():
                place = child(pointer, key)
                _refuse_surrogates(key, place)
                _walk(value, place, depth + 1)
        else:
            for index, value in enumerate(node):
                _walk(value, f"{pointer}/{index}", depth + 1)
    elif isinstance(node, float):
        if not math.isfinite(node):
            raise _invalid(pointer, "NaN, Infinity and numbers beyond 1.7e308 are not JSON numbers")
    elif isinstance(node, _DuplicateKey):
        raise _invalid(child(pointer, node.key), "this key stands twice in one object; keep one of them")


def _refuse_surrogates(value: str, pointer: str) -> None:
    if value.isascii():
        return
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _invalid(pointer, f"lone surrogate {shown(value[error.start])} is not Unicode text") from None


def _invalid(pointer: str, detail: str) -> InvalidInput:
    printable = pointer.encode(errors="backslashreplace").decode()[:_MAX_POINTER]
    return InvalidInput(f"{printable}: {detail}", [FieldError(printable, detail)])


def _unique_object(pairs: list[tuple[str, object]]) -> object:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return _DuplicateKey(key)
        seen.add(key)
    return members


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_object)
