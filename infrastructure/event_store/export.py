"""Exports the log as JSON lines with every column that its hashes cover, for anybody to recompute."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator

import msgspec
from psycopg import AsyncConnection

from infrastructure.event_store.codec import COLUMNS, StoredRow

CHUNK = 2000


async def lines(conn: AsyncConnection, tenant: str | None = None) -> AsyncIterator[bytes]:
    """Yield one JSON object an event, in log order; `data` is the stored JSON, `data_b64` its exact bytes."""
    where, values = ("WHERE tenant = %s", [tenant]) if tenant else ("", [])
    query = f"SELECT {COLUMNS}, leaf_hash, chain_hash FROM events {where} ORDER BY position"
    async with conn.cursor(name="export", scrollable=False) as cursor:
        await cursor.execute(query.encode(), values, binary=True)
        while rows := await cursor.fetchmany(CHUNK):
            for row in rows:
                *columns, leaf, chain = row
                stored = StoredRow(*columns)
                fields = {name: getattr(stored, name) for name in StoredRow.__struct_fields__}
                fields["data"] = msgspec.Raw(stored.data)
                fields["data_b64"] = b64encode(stored.data).decode()
                fields |= {"leaf_hash": bytes(leaf).hex(), "chain_hash": bytes(chain).hex()}
                yield msgspec.json.encode(fields) + b"\n"
