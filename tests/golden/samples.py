"""Made-up events for golden files: the same for the same class, with and without what may be left off."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import inspect

from domain.kernel.events import Event
from domain.kernel.personal import Erased

AT = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
_PLAIN: dict[type[inspect.Type], Any] = {
    inspect.BoolType: True,
    inspect.IntType: 7,
    inspect.FloatType: 0.25,
    inspect.DateTimeType: AT,
    inspect.DateType: date(2030, 1, 2),
    inspect.DecimalType: Decimal("0.125"),
    inspect.BytesType: b"bytes",
    inspect.NoneType: None,
    inspect.AnyType: {"any": [1, "two", None]},
}


def full(cls: type[Event]) -> Event:
    """Return an event with every field set."""
    event: Event = _struct(inspect.type_info(cls), required_only=False)
    return event


def sparse(cls: type[Event]) -> Event:
    """Return an event with only the fields that must be there, so that a changed default shows."""
    event: Event = _struct(inspect.type_info(cls), required_only=True)
    return event


def _struct(info: inspect.Type, *, required_only: bool) -> Any:
    assert isinstance(info, inspect.StructType)
    fields = [field for field in info.fields if field.required or not required_only]
    return info.cls(
        **{field.name: _value(field.name, field.type, required_only=required_only) for field in fields}
    )


def _value(name: str, info: inspect.Type, *, required_only: bool) -> Any:
    match info:
        case inspect.StructType():
            return _struct(info, required_only=required_only)
        case inspect.UnionType(types=types):
            present = [t for t in types if not isinstance(t, inspect.NoneType) and not _is_erased(t)]
            return _value(name, present[0], required_only=required_only)
        case inspect.LiteralType(values=values):
            return max(values, key=str)
        case inspect.StrType():
            return f"{name} ✓"
        case inspect.TupleType(item_types=items):
            return tuple(_value(name, item, required_only=required_only) for item in items)
        case inspect.VarTupleType(item_type=item):
            return (_value(name, item, required_only=required_only),)
        case inspect.ListType(item_type=item):
            return [_value(name, item, required_only=required_only)]
        case inspect.DictType(key_type=key, value_type=value):
            return {
                _value(name, key, required_only=required_only): _value(
                    name, value, required_only=required_only
                )
            }
    return _PLAIN[type(info)]


def _is_erased(info: inspect.Type) -> bool:
    return isinstance(info, inspect.StructType) and info.cls is Erased


def spelled_out(value: Any) -> Any:
    """Return a value as JSON carries it, with every field of every struct, left-off defaults included."""
    if isinstance(value, msgspec.Struct):
        return {field: spelled_out(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): spelled_out(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [spelled_out(item) for item in value]
    return msgspec.to_builtins(value)
