"""Copies of memories at a hosted service: removed there, and looked for again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from application.memory.hosted import HostedMemory
from application.processes.erasure.ports import Found, Reach
from infrastructure.erasure.answers import Ids
from infrastructure.erasure.rows import Rows

# The subject stands beside what is sealed, and outlives it.
_SUBJECTS = """
SELECT split_part(stream_id, '/', 3), convert_from(data, 'UTF8')::jsonb->>'subject' FROM events
WHERE stream_id = ANY(%s) AND version = 1
"""


class HostedStore:
    """Implements ErasableStore for a hosted service; `ids` tells which memories are or were reached."""

    name = "hosted_mem0"

    def __init__(self, rows: Rows, hosted: HostedMemory, ids: Ids) -> None:
        self._rows = rows
        self._hosted = hosted
        self._ids = ids

    async def find(self, reach: Reach) -> Found:
        """Count copies."""
        return Found(await self.verify(reach))

    async def keep(self, reach: Reach, kids: Sequence[str]) -> int:
        """Copies are sealed by none of our keys."""
        return 0

    async def erase(self, reach: Reach) -> int:
        """Remove the copies."""
        by_subject = await self._by_subject(reach)
        return sum(
            [await self._hosted.remove(reach.tenant, subject, ids) for subject, ids in by_subject.items()]
        )

    async def rewrite(self, reach: Reach) -> str:
        """Its files are its operator's."""
        return "removed through the service's API; its operator answers for its files"

    async def verify(self, reach: Reach) -> int:
        """Count copies that the service still finds."""
        by_subject = await self._by_subject(reach)
        return sum(
            [await self._hosted.remains(reach.tenant, subject, ids) for subject, ids in by_subject.items()]
        )

    async def _by_subject(self, reach: Reach) -> dict[str, list[str]]:
        streams = [f"{reach.tenant}/memory/{memory_id}" for memory_id in sorted(await self._ids(reach))]
        found: defaultdict[str, list[str]] = defaultdict(list)
        for memory_id, subject in await self._rows.all(_SUBJECTS, [streams]):
            found[subject].append(memory_id)
        return dict(found)
