"""Makes up events of any class, with few distinct ids so that they speak of the same things."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import msgspec
from msgspec import inspect

from domain.kernel.events import Envelope, Event
from tests.projections.memory_tail import NOW, MemoryTail

TEXTS = ("a", "b", "c", "", "Ünïcode ✓", "x" * 300, "nul\0", "\\u0000", "'; drop table", "1", "true", "null")


def events_of(types: Sequence[type[Event]], count: int, seed: int) -> list[Envelope[Any]]:
    """Return made-up events of two tenants in log order."""
    random = Random(seed)
    tail = MemoryTail()
    for _ in range(count):
        tail.append(sample(random, random.choice(types)), tenant=random.choice(("t1", "t2")))
    return tail.envelopes


def sample(random: Random, cls: type[Any]) -> Any:
    """Return an instance with arbitrary content."""
    return _value(random, inspect.type_info(cls))


def _value(random: Random, info: inspect.Type) -> Any:
    match info:
        case inspect.StructType():
            return info.cls(**{field.name: _value(random, field.type) for field in info.fields})
        case inspect.UnionType():
            return _value(random, random.choice(info.types))
        case inspect.LiteralType():
            return random.choice(list(info.values))
        case inspect.EnumType():
            return random.choice(list(info.cls))
        case inspect.StrType():
            return random.choice(TEXTS)
        case inspect.EnumType():
            return random.choice(list(info.cls))
        case inspect.BoolType():
            return random.random() < 0.5
        case inspect.IntType():
            return random.choice((0, 1, 7, random.randrange(30_000)))
        case inspect.BytesType():
            return random.randbytes(random.randrange(9))
        case inspect.FloatType():
            return random.choice((0.0, 0.25, random.random()))
        case inspect.DateTimeType():
            return NOW + timedelta(
                seconds=random.randrange(-200_000, 200_000), microseconds=random.randrange(9)
            )
        case inspect.NoneType():
            return None
        case inspect.TupleType():
            return tuple(_value(random, item) for item in info.item_types)
        case inspect.VarTupleType() | inspect.ListType() | inspect.SetType() | inspect.FrozenSetType():
            items = [_value(random, info.item_type) for _ in range(random.randrange(3))]
            return msgspec.convert(items, tuple if isinstance(info, inspect.VarTupleType) else list)
        case inspect.DictType():
            return {_value(random, info.key_type): _value(random, info.value_type)}
        case inspect.AnyType():
            return random.choice((None, 1, "a", {"b": [2]}))
    raise NotImplementedError(f"no sample for {info}")
