"""The event store beside raw COPY and the eventsourcing library's ordered recorder, interleaved in one run.

    python -m benchmarks.event_store [--json] [--rounds 5] [--seconds 1.5]

`append_eps` is the whole path: command id, version check, a field sealed with AES-256-GCM, leaf hash, chain,
NOTIFY, durable commit (fsync on), 256 commands in flight. `raw_copy_eps` is binary COPY of rows of the same
size into a table of the same columns and indexes, in transactions of as many events as the committer's were.
The collector of cycles is tuned as in the API's process, for all of them.
`library_eps` is the library's application recorder, 16 writers of one event each. `projection_eps` is the
usage projection in batches of 1000: read, decrypt, decode, apply, commit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import uvloop

from application.ports import AppendRequest, NewEvent
from benchmarks.library import LibraryRecorder
from benchmarks.projections import ProjectionLoad, append_requests, request_event
from domain.kernel.events import EventRegistry
from domain.kernel.request_record import RequestRecorded
from infrastructure.database.migrate import migrate
from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from interfaces.http.server import tune_collector
from tests.event_store import EventStore, PersonNoted, open_store

IN_FLIGHT = 256
PROJECTION_BATCH, PROJECTION_BATCHES = 1000, 4
LIBRARY_WRITERS = 16
COLUMNS = (
    "position, tenant, stream_id, version, type, schema_version, recorded_at, command_id, correlation, "
    "actor, data, key_ids, leaf_hash, chain_hash"
)


class AppendLoad:
    """Keeps IN_FLIGHT commands in flight for a time; every command waits for its own durable answer."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._run = 0

    async def run(self, seconds: float) -> float:
        """Return events a second."""
        self._run += 1
        end = time.perf_counter() + seconds
        counts = await asyncio.gather(*(self._writer(n, end) for n in range(IN_FLIGHT)))
        return sum(counts) / seconds

    async def _writer(self, number: int, end: float) -> int:
        done = 0
        stream = f"bench/note/{self._run}-{number}"
        event = PersonNoted(subject=f"subject-{number % 50}", text="x" * 120)
        while time.perf_counter() < end:
            await self._store.log.append(
                AppendRequest(
                    tenant="bench",
                    command_id=f"{self._run:04x}-{number:04x}-{done:016x}",
                    events=(NewEvent(stream, event, done),),
                    correlation="req_0123456789abcdef",
                    actor="key/bench",
                )
            )
            done += 1
        return done


def raw_copy(conn: psycopg.Connection[Any], size: int, seconds: float) -> float:
    """Return events a second of binary COPY with `size` rows a transaction."""
    template = raw_row(os.urandom(330))
    start = conn.execute("SELECT coalesce(max(position), 0) FROM raw_events").fetchone()
    position = int(start[0]) if start else 0
    done, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        block = bytearray(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0")
        for _ in range(size):
            position += 1
            block += template[0] + struct.pack(">q", position) + template[1]
        block += b"\xff\xff"
        with (
            conn.cursor() as cursor,
            cursor.copy(f"COPY raw_events ({COLUMNS}) FROM STDIN (FORMAT binary)") as c,
        ):
            c.write(bytes(block))
        conn.commit()
        done += size
    return done / (time.perf_counter() - begin)


def raw_row(data: bytes) -> tuple[bytes, bytes]:
    """Return the binary row before and after its position."""

    def value(raw: bytes) -> bytes:
        return struct.pack(">i", len(raw)) + raw

    texts = [b"bench", b"bench/note/1-100"]
    rest = b"".join(map(value, texts)) + value(struct.pack(">q", 1)) + value(b"test.person_noted")
    rest += value(struct.pack(">h", 1)) + value(struct.pack(">q", 0))
    rest += b"".join(map(value, [b"c" * 26, b"req_0123456789abcdef", b"key/bench", data]))
    rest += value(struct.pack(">iiIii", 1, 0, 25, 1, 1) + value(b"k_" + b"0" * 16)) + value(b"h" * 32) * 2
    return struct.pack(">hi", 14, 8), rest


def library(make: Callable[[], LibraryRecorder], seconds: float) -> float:
    """Return events a second of the library's ordered recorder with LIBRARY_WRITERS threads."""
    recorder = make()
    counts = [0] * LIBRARY_WRITERS
    end = time.perf_counter() + seconds

    def write(number: int) -> None:
        while time.perf_counter() < end:
            recorder.append()
            counts[number] += 1

    threads = [threading.Thread(target=write, args=(n,)) for n in range(LIBRARY_WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    return sum(counts) / seconds


class Contenders:
    """Everything that is measured, each for one turn at a time, on one server."""

    def __init__(self, endpoint: PostgresEndpoint, store: EventStore, batches: list[int]) -> None:
        self._endpoint = endpoint
        self._batches = batches
        self._append = AppendLoad(store)
        self._projection = ProjectionLoad(store, endpoint, PROJECTION_BATCH)
        self._raw = psycopg.connect(endpoint.owner_dsn)
        self.sizes: list[int] = []

    async def prepare(self, store: EventStore, rounds: int) -> None:
        """Fill the log for the projector, make the raw table, and warm up."""
        self._raw.execute("CREATE TABLE raw_events (LIKE events INCLUDING INDEXES)")
        self._raw.commit()
        random = Random(7)
        count = rounds * PROJECTION_BATCHES * PROJECTION_BATCH
        await append_requests(store, [request_event(n, random) for n in range(count)])
        await self._projection.prepare()
        await self._append.run(0.5)

    async def round(self, seconds: float) -> dict[str, float]:
        """Let every contender have its turn."""
        self._batches.clear()
        append = await self._append.run(seconds)
        size = max(1, round(sum(self._batches) / len(self._batches)))
        self.sizes.append(size)
        raw = await asyncio.to_thread(raw_copy, self._raw, size, seconds)
        ordered = await asyncio.to_thread(library, lambda: LibraryRecorder(self._endpoint.owner_dsn), seconds)
        projection = await self._projection.run(PROJECTION_BATCHES)
        return {
            "append_eps": append,
            "raw_copy_eps": raw,
            "library_eps": ordered,
            "projection_eps": projection,
            "append_to_raw_copy": append / raw,
            "append_to_library": append / ordered,
        }

    async def close(self) -> None:
        """Give the connections back."""
        self._raw.close()
        await self._projection.close()


async def measure(endpoint: PostgresEndpoint, keys: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """Run every contender in turn, `rounds` times, and return medians."""
    batches: list[int] = []
    registry = EventRegistry()
    registry.register([RequestRecorded, PersonNoted])
    async with open_store(endpoint, keys, registry, observe=lambda n, _s: batches.append(n)) as store:
        contenders = Contenders(endpoint, store, batches)
        await contenders.prepare(store, rounds)
        found = [await contenders.round(seconds) for _ in range(rounds)]
        await contenders.close()
    medians = {name: statistics.median(turn[name] for turn in found) for name in found[0]}
    return {
        **{name: round(value, 3 if "_to_" in name else None) for name, value in medians.items()},
        "in_flight": IN_FLIGHT,
        "transaction_size": round(statistics.median(contenders.sizes)),
        "rounds": rounds,
    }


def run(rounds: int, seconds: float) -> dict[str, Any]:
    """Measure on a fresh embedded PostgreSQL with fsync on."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "pg")
        endpoint = server.ensure_running()
        try:
            migrate(endpoint.owner_dsn)
            tune_collector()
            result = uvloop.run(measure(endpoint, Path(folder) / "keys", rounds, seconds))
        finally:
            server.stop()
    return result


def main() -> None:
    """Print the result for people, or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5)
    options = parser.parse_args()
    result = run(options.rounds, options.seconds)
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:22} {value}")


if __name__ == "__main__":
    main()
