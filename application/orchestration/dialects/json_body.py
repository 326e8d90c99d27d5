"""Decodes a request body strictly, so that what is metered is what every later parser will read."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Iterable

import msgspec

from application.orchestration.dialects.model import JsonObject
from application.orchestration.dialects.shape import child, shown
from domain.kernel.errors import InvalidInput

MAX_DEPTH = 64
_MAX_POINTER = 512


class _Doubtful(Exception):
    """The body holds something unsound; where it stands is looked for in a second reading."""


class _DuplicateKey(msgspec.Struct):
    """Stands in for an object that names one key twice, until its place in the body is known."""

    key: str


class _Fault(Exception):
    """What is wrong with a value; `path` collects the way to it, innermost first, as the walk unwinds."""

    def __init__(self, detail: str, *path: str | int) -> None:
        super().__init__(detail)
        self.detail = detail
        self.path: list[str | int] = list(path)


def decode_object(raw: bytes) -> JsonObject:
    """Return the JSON object in `raw`.

    Raises InvalidInput for bad UTF-8, bad JSON (with the position), a top level that is not an object,
    duplicate keys, NaN, infinite or overflowing numbers, lone surrogates and nesting beyond MAX_DEPTH.
    """
    try:
        body = _decode(raw, _STRICT)
        sound = b"\\u" not in raw and raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH
    except _Doubtful:
        body, sound = _decode(raw, _LENIENT), False
    if not sound:
        _check(body)
    if not isinstance(body, dict):
        raise InvalidInput.at("", f"the body must be a JSON object, not {_kind(body)}")
    return body


def _check(body: object) -> None:
    """Raise InvalidInput for the first value that is no sound JSON, or too deep."""
    try:
        _walk(body, 0)
    except _Fault as fault:
        raise _invalid(fault) from None


def _decode(raw: bytes, decoder: json.JSONDecoder) -> object:
    if raw.startswith(codecs.BOM_UTF8):
        raise InvalidInput.at("", "the body starts with a byte order mark; send plain UTF-8 without one")
    try:
        return decoder.decode(raw.decode())
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


def _walk(node: object, depth: int) -> None:
    """Raise _Fault for the first value that is no sound JSON, or too deep."""
    if isinstance(node, str):
        _refuse_surrogates(node)
    elif isinstance(node, dict):
        _walk_members(node.items(), depth)
    elif isinstance(node, list):
        _walk_members(enumerate(node), depth)
    elif isinstance(node, float):
        if not math.isfinite(node):
            raise _Fault("NaN, Infinity and numbers beyond 1.7e308 are not JSON numbers")
    elif isinstance(node, _DuplicateKey):
        raise _Fault("this key stands twice in one object; keep one of them", node.key)


def _walk_members(members: Iterable[tuple[str | int, object]], depth: int) -> None:
    if depth == MAX_DEPTH:
        raise _Fault(f"nested deeper than {MAX_DEPTH} levels")
    key: str | int = ""
    try:
        for key, value in members:
            if isinstance(key, str):
                _refuse_surrogates(key)
            _walk(value, depth + 1)
    except _Fault as fault:
        fault.path.append(key)
        raise


def _refuse_surrogates(value: str) -> None:
    if value.isascii():
        return
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _Fault(f"lone surrogate {shown(value[error.start])} is not Unicode text") from None


def _invalid(fault: _Fault) -> InvalidInput:
    pointer = ""
    for key in reversed(fault.path):
        pointer = child(pointer, key)
    printable = pointer.encode(errors="backslashreplace").decode()[:_MAX_POINTER]
    return InvalidInput.at(printable, fault.detail)


def _marked_object(pairs: list[tuple[str, object]]) -> object:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return _DuplicateKey(key)
        seen.add(key)
    return dict(pairs)


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _strict_object(pairs: list[tuple[str, object]]) -> object:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Doubtful
    return members


def _strict_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Doubtful
    return value


def _refuse_constant(_name: str) -> object:
    raise _Doubtful


_LENIENT = json.JSONDecoder(object_pairs_hook=_marked_object)
_STRICT = json.JSONDecoder(
    object_pairs_hook=_strict_object, parse_float=_strict_float, parse_constant=_refuse_constant
)
