"""What a search must know of a tenant beforehand: whether it is large, and which words are common.

Kept in memory for a minute. Words that nearly every memory holds tell nothing and would be costly to follow.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

FRESH_S = 60.0
MOST_TENANTS = 500
SAMPLE = 2000
MOST_WORDS = 100
COUNT_UP_TO = 20_000
PERHAPS = 100_000
"""How many memories a tenant is taken to have whose memories were not counted to the end."""
_SIZE = text(
    "SELECT EXISTS (SELECT FROM memory_vectors WHERE tenant = :tenant AND indexed), "
    f"(SELECT count(*) FROM (SELECT FROM memories WHERE tenant = :tenant LIMIT {COUNT_UP_TO}) AS counted)"
)
_MINE = "FROM memories WHERE tenant = current_setting('aios.tenant')"
_SAMPLED = f"SELECT words {_MINE} ORDER BY occurred_at DESC LIMIT {SAMPLE}".replace("'", "''")
_WORDS = text(
    f"SELECT word, ndoc, (SELECT count(*) FROM (SELECT {_MINE} LIMIT {SAMPLE}) AS sampled) "
    f"FROM ts_stat('{_SAMPLED}') ORDER BY ndoc DESC, word LIMIT {MOST_WORDS}"
)


class TenantStatistics(msgspec.Struct, frozen=True):
    """`indexed` tenants have vectors in the index, most of them; `memories` is how many there are, roughly.

    `common` are words by the share of the `sampled` memories that hold them.
    """

    indexed: bool
    memories: int
    sampled: int
    common: dict[str, float]

    def share(self, word: str) -> float:
        """Return which share of the memories holds a word; a guess for a rare one."""
        found = self.common.get(word)
        if found is not None:
            return found
        rarest = min(self.common.values(), default=1.0)
        full = len(self.common) >= MOST_WORDS
        return rarest / 2 if full else 0.5 / max(1, self.sampled)

    def weight(self, word: str) -> float:
        """Return the inverse document frequency of a word, as BM25 has it."""
        count = max(1, self.sampled)
        holding = self.share(word) * count
        return math.log(1 + (count - holding + 0.5) / (holding + 0.5))


class Statistics:
    """Statistics by tenant, looked up when they are older than a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, TenantStatistics]] = OrderedDict()

    async def of(self, conn: AsyncConnection, tenant: str) -> TenantStatistics:
        """Return the statistics of the connection's tenant."""
        known = self._known.get(tenant)
        if known is not None and self._clock() - known[0] < FRESH_S:
            self._known.move_to_end(tenant)
            return known[1]
        found = await _look_up(conn, tenant)
        self._known[tenant] = (self._clock(), found)
        if len(self._known) > MOST_TENANTS:
            self._known.popitem(last=False)
        return found


async def _look_up(conn: AsyncConnection, tenant: str) -> TenantStatistics:
    indexed, counted = (await conn.execute(_SIZE, {"tenant": tenant})).one()
    rows: Sequence[tuple[str, int, int]] = [tuple(row) for row in await conn.execute(_WORDS)]
    sampled = rows[0][2] if rows else 0
    return TenantStatistics(
        indexed=indexed,
        memories=PERHAPS if counted == COUNT_UP_TO else counted,
        sampled=sampled,
        common={word: holding / sampled for word, holding, _ in rows},
    )
