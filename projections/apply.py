"""Executes a batch's row operations inside the caller's transaction."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from projections.coalesce import BadOp, Run, coalesce
from projections.ops import RowOp
from projections.statements import statement
from projections.tables import physical_name

_ENCODER = msgspec.json.Encoder()
_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


async def apply_ops(conn: AsyncConnection, ops: Iterable[RowOp], version: int, generation: int) -> None:
    """Write the operations to a generation's tables in a few statements.

    Raises BadOp or SQLAlchemy's DataError or IntegrityError when an operation can never succeed.
    """
    for run in coalesce(ops):
        target = physical_name(run.shape.table.name, version, generation)
        await conn.exec_driver_sql(statement(run.shape, target), (_encode(run),))


def _encode(run: Run) -> str:
    """Encode a run's rows; PostgreSQL's texts hold no NUL, so U+FFFD stands in its place."""
    try:
        text = _ENCODER.encode(run.values()).decode()
    except (TypeError, ValueError) as error:
        raise BadOp(f"{run.shape.table.name}: a value that JSON cannot carry") from error
    return _ESCAPED_NUL.sub("\\1\ufffd", text) if "\\u0000" in text else text
