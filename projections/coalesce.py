"""Turns a batch's row operations into few multi-row statements with the same effect.

An operation joins an earlier run of its own kind and columns unless a run in between touches the same row;
operations on different rows commute. Counters are summed before they reach the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Table

from projections.ops import Add, Delete, Insert, Row, RowOp, Update, Upsert
from projections.tables import key_columns


class BadOp(Exception):
    """A row operation that can never succeed; the event it came from is poison."""


@dataclass(frozen=True)
class Shape:
    """What makes one statement: the kind, the table, the columns that address rows, the columns written."""

    kind: type[RowOp]
    table: Table
    address: tuple[str, ...]
    written: tuple[str, ...]


@dataclass
class Run:
    """One multi-row statement: its shape and the values by row; `by_key` when rows have their primary key."""

    shape: Shape
    by_key: bool
    rows: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def conflicts(self, address: Address) -> bool:
        """Tell whether an operation on these rows may not overtake this run."""
        return not (self.by_key and address.by_key) or any(key in self.rows for key in address.keys)

    def values(self) -> list[Row]:
        """Return one mapping of column to value a row."""
        if self.shape.kind is not Add:
            return list(self.rows.values())
        names = self.shape.address + self.shape.written
        return [
            dict(zip(names, (*key, *map(sum, zip(*added, strict=True))), strict=True))
            for key, added in self.rows.items()
        ]


class Address(NamedTuple):
    """Which rows an operation touches; without `by_key` they are found by other columns."""

    shape: Shape
    keys: Sequence[tuple[Any, ...]]
    by_key: bool = True


def coalesce(ops: Iterable[RowOp]) -> list[Run]:
    """Return the runs to execute in order. Raises BadOp for an operation that fits no table."""
    tables: dict[str, list[Run]] = {}
    for op in ops:
        if type(op) not in _KINDS:
            raise BadOp(f"a handler yielded {type(op).__name__}, which is no row operation")
        find, store = _KINDS[type(op)]
        address = find(op)
        runs = tables.setdefault(op.table.name, [])
        store(_place(runs, address).rows, op, address.keys)
    return [run for runs in tables.values() for run in runs]


def _place(runs: list[Run], address: Address) -> Run:
    for run in reversed(runs):
        if run.shape is address.shape:
            return run
        if run.conflicts(address):
            break
    run = Run(address.shape, address.by_key)
    runs.append(run)
    return run


def _find_row(op: Insert | Upsert) -> Address:
    return Address(shape_of(type(op), op.table, (), tuple(op.row)), (_key(op.table)(op.row),))


def _find_counters(op: Add) -> Address:
    return Address(shape_of(Add, op.table, key_columns(op.table), tuple(op.amounts)), op.keys)


def _find_where(op: Update | Delete) -> Address:
    written = tuple(op.values) if isinstance(op, Update) else ()
    shape = shape_of(type(op), op.table, tuple(op.where), written)
    if None in op.where.values():
        raise BadOp(f"{op.table.name}: rows cannot be addressed by NULL")
    if set(op.where) == set(key_columns(op.table)):
        return Address(shape, (_key(op.table)(op.where),))
    return Address(shape, (tuple(op.where.values()),), by_key=False)


def _insert(rows: dict[Any, Any], op: Insert, keys: Sequence[Any]) -> None:
    if keys[0] in rows:
        raise BadOp(f"{op.table.name}: a second insert of one primary key")
    rows[keys[0]] = op.row


def _upsert(rows: dict[Any, Any], op: Upsert, keys: Sequence[Any]) -> None:
    rows[keys[0]] = op.row


def _update(rows: dict[Any, Any], op: Update, keys: Sequence[Any]) -> None:
    rows[keys[0]] = {**op.where, **op.values}


def _delete(rows: dict[Any, Any], op: Delete, keys: Sequence[Any]) -> None:
    rows[keys[0]] = op.where


def _add(rows: dict[Any, Any], op: Add, keys: Sequence[Any]) -> None:
    amounts = tuple(op.amounts.values())
    for key in keys:
        added = rows.get(key)
        if added is not None:
            added.append(amounts)
        elif len(key) == len(op.table.primary_key):
            rows[key] = [amounts]
        else:
            raise BadOp(f"{op.table.name}: a key of {len(key)} values does not name a row")


_KINDS: Mapping[Any, tuple[Callable[[Any], Address], Callable[[dict[Any, Any], Any, Sequence[Any]], None]]]
_KINDS = {
    Insert: (_find_row, _insert),
    Upsert: (_find_row, _upsert),
    Update: (_find_where, _update),
    Delete: (_find_where, _delete),
    Add: (_find_counters, _add),
}


@cache
def _key(table: Table) -> Callable[[Row], tuple[Any, ...]]:
    names = key_columns(table)
    if len(names) == 1:
        return lambda row: (row[names[0]],)
    return itemgetter(*names)


@cache
def shape_of(kind: type[RowOp], table: Table, address: tuple[str, ...], written: tuple[str, ...]) -> Shape:
    """Return the shape of an operation, checked once when it is first seen; raises BadOp."""
    unknown = [name for name in address + written if name not in table.columns]
    if unknown:
        raise BadOp(f"{table.name} has no column {', '.join(unknown)}")
    if kind in (Insert, Upsert) and not set(key_columns(table)) <= set(written):
        raise BadOp(f"{table.name}: {kind.__name__} needs the whole primary key")
    if set(address) & set(written):
        raise BadOp(f"{table.name}: a column that addresses rows cannot change with them")
    if kind in (Update, Delete) and not address:
        raise BadOp(f"{table.name}: {kind.__name__} needs a column that addresses rows")
    return Shape(kind, table, address, written)
