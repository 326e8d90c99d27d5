"""Turns a batch's row operations into few multi-row statements with the same effect.

An operation joins an earlier run of its own kind and columns unless a run in between touches the same row;
operations on different rows commute. Counters are summed before they reach the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import Any

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
    rows: dict[Any, Any] = field(default_factory=dict)

    def conflicts(self, key: Any, by_key: bool) -> bool:
        """Tell whether an operation on the row `key` may not overtake this run."""
        return not (by_key and self.by_key) or key in self.rows

    def values(self) -> list[Row]:
        """Return one mapping of column to value a row."""
        if self.shape.kind is not Add:
            return list(self.rows.values())
        written = self.shape.written
        return [{**key, **dict(zip(written, sums, strict=True))} for key, sums in self.rows.values()]


def coalesce(ops: Iterable[RowOp]) -> list[Run]:
    """Return the runs to execute in order. Raises BadOp for an operation that fits no table."""
    tables: dict[str, list[Run]] = {}
    for op in ops:
        if type(op) not in _SHAPES:
            raise BadOp(f"a handler yielded {type(op).__name__}, which is no row operation")
        shape, key, by_key = _SHAPES[type(op)](op)
        runs = tables.setdefault(shape.table.name, [])
        _store(_place(runs, shape, key, by_key), op, key)
    return [run for runs in tables.values() for run in runs]


def _place(runs: list[Run], shape: Shape, key: Any, by_key: bool) -> Run:
    for run in reversed(runs):
        if run.shape is shape:
            return run
        if run.conflicts(key, by_key):
            break
    run = Run(shape, by_key)
    runs.append(run)
    return run


def _store(run: Run, op: RowOp, key: Any) -> None:
    if isinstance(op, Add):
        present = run.rows.get(key)
        if present is None:
            run.rows[key] = (op.key, list(op.amounts.values()))
        else:
            sums = present[1]
            for index, amount in enumerate(op.amounts.values()):
                sums[index] += amount
    elif isinstance(op, Insert):
        if key in run.rows:
            raise BadOp(f"{run.shape.table.name}: a second insert of one primary key")
        run.rows[key] = op.row
    elif isinstance(op, Upsert):
        run.rows[key] = op.row
    elif isinstance(op, Update):
        run.rows[key] = {**op.where, **op.values}
    else:
        run.rows[key] = op.where


def _insert(op: Insert) -> tuple[Shape, Any, bool]:
    return _shape(Insert, op.table, (), tuple(op.row)), _key(op.table)(op.row), True


def _upsert(op: Upsert) -> tuple[Shape, Any, bool]:
    return _shape(Upsert, op.table, (), tuple(op.row)), _key(op.table)(op.row), True


def _add(op: Add) -> tuple[Shape, Any, bool]:
    return _shape(Add, op.table, tuple(op.key), tuple(op.amounts)), _key(op.table)(op.key), True


def _update(op: Update) -> tuple[Shape, Any, bool]:
    return (_shape(Update, op.table, tuple(op.where), tuple(op.values)), *_address(op.table, op.where))


def _delete(op: Delete) -> tuple[Shape, Any, bool]:
    return (_shape(Delete, op.table, tuple(op.where), ()), *_address(op.table, op.where))


_SHAPES: Mapping[type[RowOp], Callable[[Any], tuple[Shape, Any, bool]]] = {
    Insert: _insert,
    Upsert: _upsert,
    Add: _add,
    Update: _update,
    Delete: _delete,
}


def _address(table: Table, where: Row) -> tuple[Any, bool]:
    if None in where.values():
        raise BadOp(f"{table.name}: rows cannot be addressed by NULL")
    if set(where) == set(key_columns(table)):
        return _key(table)(where), True
    return tuple(where.values()), False


@cache
def _key(table: Table) -> Callable[[Row], Any]:
    return itemgetter(*key_columns(table))


@cache
def _shape(kind: type[RowOp], table: Table, address: tuple[str, ...], written: tuple[str, ...]) -> Shape:
    """Check a shape once, when it is first seen."""
    unknown = [name for name in address + written if name not in table.columns]
    if unknown:
        raise BadOp(f"{table.name} has no column {', '.join(unknown)}")
    present = address if kind is Add else written
    if kind in (Insert, Upsert, Add) and not set(key_columns(table)) <= set(present):
        raise BadOp(f"{table.name}: {kind.__name__} needs the whole primary key")
    if set(address) & set(written):
        raise BadOp(f"{table.name}: a column that addresses rows cannot change with them")
    if kind in (Update, Delete) and not address:
        raise BadOp(f"{table.name}: {kind.__name__} needs a column that addresses rows")
    return Shape(kind, table, address, written)
