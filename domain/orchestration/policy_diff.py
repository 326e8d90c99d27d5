"""What changed between two versions of a policy, path by path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from domain.orchestration.policy import Policy


class Change(msgspec.Struct, frozen=True):
    """One changed value at a JSON pointer; `old` or `new` is None where nothing stood or stands."""

    path: str
    old: Any
    new: Any


def diff(old: Policy | None, new: Policy) -> tuple[Change, ...]:
    """Return the changes from one version to the next, in document order.

    The first version (`old` is None) is one change a field. Rules are compared by their index.
    """
    before = {} if old is None else msgspec.to_builtins(old)
    return tuple(_changes("", before, msgspec.to_builtins(new)))


def _changes(path: str, old: Any, new: Any) -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _changes(f"{path}/{_escape(key)}", old.get(key), new.get(key))
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
        for index in range(max(len(old), len(new))):
            yield from _changes(f"{path}/{index}", _item(old, index), _item(new, index))
    elif old != new or type(old) is not type(new):
        yield Change(path, old, new)


def _item(items: list[Any] | tuple[Any, ...], index: int) -> Any:
    return items[index] if index < len(items) else None


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
