"""Writes long lists as they are read, as JSON lines or CSV, in chunks that keep the overhead small."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

ROWS_A_CHUNK: Final = 200
# A spreadsheet takes a cell that begins like this for a formula; clients chose some of these texts.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


async def as_jsonl(rows: AsyncIterator[msgspec.Struct]) -> AsyncIterator[bytes]:
    """Yield one JSON object a line."""
    encoder = msgspec.json.Encoder()
    lines: list[msgspec.Struct] = []
    async for row in rows:
        lines.append(row)
        if len(lines) == ROWS_A_CHUNK:
            yield encoder.encode_lines(lines)
            lines = []
    yield encoder.encode_lines(lines)


async def as_csv(rows: AsyncIterator[msgspec.Struct], kind: type[msgspec.Struct]) -> AsyncIterator[bytes]:
    """Yield a header with the fields of `kind`, then one record a row; nothing is an empty cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(kind.__struct_fields__)
    count = 0
    async for row in rows:
        values = msgspec.to_builtins(row)
        writer.writerow([_cell(values.get(name)) for name in kind.__struct_fields__])
        count += 1
        if count % ROWS_A_CHUNK == 0:
            yield _taken(buffer)
    yield _taken(buffer)


async def started(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Read the first chunk, so that what fails at the start is still answered with its status."""
    first = await anext(chunks, b"")

    async def all_chunks() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return all_chunks()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    if isinstance(value, bool):
        return str(value).lower()
    return value


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
