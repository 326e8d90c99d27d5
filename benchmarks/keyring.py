"""Destroying data keys in a tenant with 100 000 of them: one person's, and a tenth of all."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path

from infrastructure.database.migrate import migrate
from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.keyring.keyring import Scope
from tests.event_store import EventStore, open_store

KEYS, CHUNK = 100_000, 1000


async def make(store: EventStore) -> float:
    """Make one key for each of many persons; returns the seconds."""
    began = time.perf_counter()
    for start in range(0, KEYS, CHUNK):
        scopes = {Scope("t1", f"s{number}", "notes", "2026-01") for number in range(start, start + CHUNK)}
        await store.keyring.ensure(scopes)
    return time.perf_counter() - began


async def destroy(store: EventStore, like: str) -> dict[str, float]:
    """Destroy the keys of the persons whose names are alike."""
    query = "SELECT kid FROM data_keys WHERE subject LIKE %s"
    async with store.keyring.connection() as conn:
        kids = [kid for (kid,) in await (await conn.execute(query, [like])).fetchall()]
    began, cpu = time.perf_counter(), time.process_time()
    done = await store.shredder.destroy("t1", kids)
    return {
        "keys": done.destroyed,
        "seconds": round(time.perf_counter() - began, 3),
        "cpu_s": round(time.process_time() - cpu, 3),
        "opened_after": done.opened_after,
    }


async def main() -> None:
    """Measure on an embedded PostgreSQL of its own."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder))
        endpoint = await asyncio.to_thread(server.ensure_running)
        try:
            await asyncio.to_thread(migrate, endpoint.owner_dsn)
            async with open_store(endpoint, Path(folder) / "keys") as store:
                print("made:", json.dumps({"keys": KEYS, "seconds": round(await make(store), 1)}))
                print("destroy_one_person:", json.dumps(await destroy(store, "s55555")))
                print("destroy_a_tenth:", json.dumps(await destroy(store, "s1%")))
        finally:
            await asyncio.to_thread(server.stop)


if __name__ == "__main__":
    asyncio.run(main())
