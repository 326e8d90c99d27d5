"""Field checks that both dialects share; each yields what is wrong and stays silent otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from application.orchestration.dialects.model import JsonObject
from application.orchestration.dialects.shape import child, shown
from domain.kernel.errors import FieldError

Errors = Iterator[FieldError]
Check = Callable[[object, str], Errors]

MAX_COUNT = 2**31 - 1
_MAX_MODEL_NAME = 256


def optional(body: JsonObject, field: str, check: Check, at: str = "") -> Errors:
    """Apply `check` to a field when it is there and not null."""
    value = body.get(field)
    if value is not None:
        yield from check(value, child(at, field))


def required(body: JsonObject, field: str, check: Check, at: str = "") -> Errors:
    """Apply `check` to a field that must be there."""
    if field not in body:
        yield FieldError(child(at, field), "required, but missing")
    else:
        yield from check(body[field], child(at, field))


def model_name(value: object, at: str) -> Errors:
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_MODEL_NAME:
        yield FieldError(at, f"must be a model name of 1 to {_MAX_MODEL_NAME} characters, not {shown(value)}")
    elif not value.isprintable():
        yield FieldError(at, "must hold printable characters only")


def string(value: object, at: str) -> Errors:
    if not isinstance(value, str):
        yield FieldError(at, f"must be a string, not {shown(value)}")


def name(value: object, at: str) -> Errors:
    if not isinstance(value, str) or not value:
        yield FieldError(at, f"must be a string that is not empty, not {shown(value)}")


def boolean(value: object, at: str) -> Errors:
    if not isinstance(value, bool):
        yield FieldError(at, f"must be true or false, not {shown(value)}")


def number(value: object, at: str) -> Errors:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield FieldError(at, f"must be a number, not {shown(value)}")


def object_(value: object, at: str) -> Errors:
    if not isinstance(value, dict):
        yield FieldError(at, f"must be an object, not {shown(value)}")


def integer_from(lowest: int, highest: int = MAX_COUNT) -> Check:
    """Return a check for an integer of a closed range."""

    def check(value: object, at: str) -> Errors:
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            yield FieldError(at, f"must be an integer from {lowest} to {highest}, not {shown(value)}")

    return check


def list_of(item: Check, *, empty: bool = True) -> Check:
    """Return a check for an array whose items all pass `item`."""

    def check(value: object, at: str) -> Errors:
        if not isinstance(value, list):
            yield FieldError(at, f"must be an array, not {shown(value)}")
        elif not value and not empty:
            yield FieldError(at, "must hold at least one item")
        else:
            for index, entry in enumerate(value):
                yield from item(entry, f"{at}/{index}")

    return check


def string_or(other: Check) -> Check:
    """Return a check that takes any string, and leaves every other value to `other`."""

    def check(value: object, at: str) -> Errors:
        if not isinstance(value, str):
            yield from other(value, at)

    return check


def tagged(value: object, at: str, tag: str = "type") -> Errors:
    """Check for an object that says what it is in the string member `tag`."""
    if not isinstance(value, dict):
        yield FieldError(at, f"must be an object, not {shown(value)}")
    elif not isinstance(value.get(tag), str):
        yield FieldError(child(at, tag), f"must be a string, not {shown(value.get(tag))}")
