"""Answers kept for idempotency keys: those that quote something erased are forgotten.

They are found by the ids of memories and requests in them. A key whose answer went refuses to be used again,
so a client that repeats an old request does not write erased data anew.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from application.idempotency import Answer
from application.processes.erasure.ports import Found, Reach
from infrastructure.erasure.files import TableFiles
from infrastructure.erasure.rows import Rows
from infrastructure.idempotency import AnswerSeal

_WORD = re.compile(rb"[A-Za-z0-9_-]{6,}")
_LIST = "SELECT key_digest, answer FROM idempotency WHERE tenant = %s AND answer IS NOT NULL"
_FORGET = """
UPDATE idempotency SET answer = NULL, lease_until = now(), owner = '',
    fingerprint = sha256(convert_to(gen_random_uuid()::text, 'UTF8'))
WHERE tenant = %s AND key_digest = ANY(%s)
"""
Ids = Callable[[Reach], Awaitable[set[str]]]


class AnswerStore:
    """Implements ErasableStore for kept answers; `ids` tells which memories and requests are reached."""

    name = "idempotent_answers"

    def __init__(self, rows: Rows, seal: AnswerSeal, files: TableFiles, ids: Sequence[Ids]) -> None:
        self._rows = rows
        self._seal = seal
        self._files = files
        self._ids = ids

    async def find(self, reach: Reach) -> Found:
        """Count answers that quote what is reached."""
        return Found(len(await self._quoting(reach)))

    async def keep(self, reach: Reach, kids: Sequence[str]) -> int:
        """Answers are sealed by no person's key."""
        return 0

    async def erase(self, reach: Reach) -> int:
        """Forget the answers and what was asked; their keys stay used until they expire."""
        return await self._rows.change(_FORGET, [reach.tenant, await self._quoting(reach)])

    async def rewrite(self, reach: Reach) -> str:
        """Write the table anew."""
        return await self._files.vacuum("idempotency", reach.tenant)

    async def verify(self, reach: Reach) -> int:
        """Count answers that are left."""
        return len(await self._quoting(reach))

    async def _quoting(self, reach: Reach) -> list[bytes]:
        wanted: set[bytes] = set()
        for ids in self._ids:
            wanted.update(each.encode() for each in await ids(reach))
        if not wanted:
            return []
        kept = await self._rows.all(_LIST, [reach.tenant])
        return [
            bytes(digest)
            for digest, sealed in kept
            if not wanted.isdisjoint(_words(self._seal.open(reach.tenant, bytes(digest), bytes(sealed))))
        ]


def _words(answer: Answer) -> set[bytes]:
    """Return everything in an answer that could be an id."""
    values = b"\n".join(value for _, value in answer.headers)
    return set(_WORD.findall(values)) | set(_WORD.findall(answer.body))
