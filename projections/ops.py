"""What a handler wants done to rows: plain values, so handlers stay pure and a batch can be coalesced.

Ops of one batch take effect as if they were executed one by one in log order. Values are what JSON can carry
plus datetimes, dates, decimals, UUIDs, bytes and msgspec structs (into JSONB columns).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Table

Row = Mapping[str, Any]


class Insert(msgspec.Struct, frozen=True, gc=False):
    """A new row, whose primary key must not exist yet; a second one is a poison event."""

    table: Table
    row: Row


class Upsert(msgspec.Struct, frozen=True, gc=False):
    """A row by its primary key; on an existing row only the given columns change."""

    table: Table
    row: Row


class Update(msgspec.Struct, frozen=True, gc=False):
    """New values for every row whose columns equal `where` (never NULL); no row is no error."""

    table: Table
    where: Row
    values: Row


class Delete(msgspec.Struct, frozen=True, gc=False):
    """Removes every row whose columns equal `where` (never NULL); no row is no error."""

    table: Table
    where: Row


class Add(msgspec.Struct, frozen=True, gc=False):
    """Adds the same amounts to the counters of one or more rows, which start at zero.

    Each key holds the values of the whole primary key in the order of its columns; no key twice.
    """

    table: Table
    keys: Sequence[tuple[Any, ...]]
    amounts: Mapping[str, int]


RowOp = Insert | Upsert | Update | Delete | Add
