"""Recomputes the log from its first position: leaf hashes, chain, versions, head and inline counters.

Runs in one repeatable-read transaction, so it works beside a running product and judges one moment of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection, IsolationLevel

from domain.audit.chain import GENESIS, extend, leaf_hash, microseconds
from infrastructure.event_store.anchors import Anchor
from infrastructure.event_store.codec import COLUMNS
from infrastructure.quota.counters import REPLAY as QUOTA_REPLAY

CHUNK = 5000
MAX_PROBLEMS = 20

# Inline counters written in the append transaction, each with the query of its differences from the log.
# A query returns rows (first position concerned, text); none means that the counter equals the replay.
INLINE_COUNTERS: tuple[tuple[str, str], ...] = (
    (
        "streams",
        """
        WITH replayed AS (SELECT stream_id, max(version) AS top, count(*) AS events, min(position) AS first
                          FROM events GROUP BY stream_id)
        SELECT coalesce(r.first, 0), format('stream %s: counter %s, log %s in %s events',
               coalesce(r.stream_id, s.stream_id), s.version, r.top, r.events)
        FROM replayed r FULL JOIN streams s USING (stream_id)
        WHERE s.version IS DISTINCT FROM r.top OR r.top <> r.events
        ORDER BY 1 LIMIT 20""",
    ),
    (
        "commands",
        """
        SELECT c.first_position, format('command %s: counter %s to %s, log %s', c.command_key,
               c.first_position, c.last_position, coalesce(e.command_id, 'no event'))
        FROM commands c LEFT JOIN events e ON e.position = c.first_position
        WHERE c.last_position >= c.first_position
          AND c.command_key IS DISTINCT FROM e.tenant || '/' || e.command_id
        ORDER BY 1 LIMIT 20""",
    ),
    ("quota_used", QUOTA_REPLAY),
)


class Problem(msgspec.Struct, frozen=True):
    """Something that does not verify; `position` is the first position it concerns, 0 when none."""

    position: int
    detail: str


class Report(msgspec.Struct, frozen=True):
    """What verification found. `first_bad_position` is None for a log that verifies."""

    ok: bool
    events: int
    head: int
    chain: str
    first_bad_position: int | None
    problems: tuple[Problem, ...]


class _Walk:
    """Walks the rows in order of position, remembering where the chain stands."""

    def __init__(self, anchors: Iterable[Anchor]) -> None:
        self.position = 0
        self.chain = GENESIS
        self.problems: list[Problem] = []
        self._anchors = {anchor.position: anchor.chain for anchor in anchors}

    def step(self, row: Sequence[Any]) -> None:
        *columns, leaf, chain = row
        position = columns[0]
        if position != self.position + 1:
            self._report(self.position + 1, f"events {self.position + 1} to {position - 1} are missing")
        if _leaf(columns) != leaf:
            self._report(position, "the event was altered: its content does not give its leaf hash")
        self.chain = extend(self.chain, leaf)
        if self.chain != chain:
            self._report(position, "the event does not follow from the one before it: either was altered")
            self.chain = chain
        anchored = self._anchors.get(position)
        if anchored is not None and anchored != chain.hex():
            self._report(position, "the chain differs from the anchor written outside the database")
        self.position = position

    def finish(self, head: int, chain: bytes) -> None:
        if head != self.position:
            self._report(
                min(head, self.position) + 1, f"the head says {head}, the log ends at {self.position}"
            )
        elif chain != self.chain:
            self._report(self.position, "the head's chain value differs from the log's")
        newest = max(self._anchors, default=0)
        if newest > self.position:
            self._report(self.position + 1, f"events up to {newest} were anchored; those after here are gone")

    def _report(self, position: int, detail: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(position, detail))


async def verify(conn: AsyncConnection, anchors: Iterable[Anchor] = ()) -> Report:
    """Verify the whole log and its counters; `conn` must see all tenants and have no transaction open."""
    await conn.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    walk, events = _Walk(anchors), 0
    async with conn.transaction():
        head, chain = (await (await conn.execute("SELECT position, chain FROM log_head")).fetchall())[0]
        async with conn.cursor(name="verify", scrollable=False) as cursor:
            await cursor.execute(
                f"SELECT {COLUMNS}, leaf_hash, chain_hash FROM events ORDER BY position".encode(), binary=True
            )
            while rows := await cursor.fetchmany(CHUNK):
                for row in rows:
                    walk.step(row)
                events += len(rows)
        walk.finish(head, bytes(chain))
        problems = walk.problems + [p async for p in _counter_problems(conn)]
    bad = min((p.position for p in walk.problems), default=min((p.position for p in problems), default=None))
    return Report(not problems, events, head, walk.chain.hex(), bad, tuple(problems))


async def _counter_problems(conn: AsyncConnection) -> Any:
    for name, query in INLINE_COUNTERS:
        cursor = await conn.execute(query.encode())
        for position, detail in await cursor.fetchall():
            yield Problem(position, f"inline counter '{name}': {detail}")


def _leaf(columns: Sequence[Any]) -> bytes:
    position, tenant, stream_id, version, type_name, schema_version, recorded_at, *rest = columns
    command_id, correlation, actor, data, key_ids = rest
    at = microseconds(recorded_at)
    return leaf_hash(
        position, tenant, stream_id, version, type_name, schema_version, at,
        command_id, correlation, actor, key_ids, data,
    )  # fmt: skip
