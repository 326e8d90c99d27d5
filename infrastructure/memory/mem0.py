"""Hosted Mem0 through its own SDK: what it keeps is scrubbed, and its users are pseudonyms of the log.

A copy carries the memory's id in its metadata, by which it is found again; nothing else is kept of it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from application.memory.hosted import HostedCopy
from domain.kernel.errors import Unavailable

MEMORY_ID = "aios_memory_id"
PAGE = 100
TIMEOUT_S = 30.0
T = TypeVar("T")


class HostedMem0:
    """`HostedMemory` over `mem0ai`'s client, which is imported and connected on first use."""

    def __init__(self, api_key: str, folder: Path, base_url: str | None = None) -> None:
        """Keep the SDK's own files in `folder`; `base_url` is for a server other than Mem0's."""
        self._api_key = api_key
        self._folder = folder
        self._base_url = base_url
        self._client: Any = None

    async def put(self, copy: HostedCopy) -> None:
        """See `HostedMemory.put`."""
        await self._call(lambda client: self._put(client, copy))

    async def remove(self, tenant: str, subject: str, memory_ids: Sequence[str]) -> int:
        """See `HostedMemory.remove`."""
        return await self._call(lambda client: self._remove(client, user_of(tenant, subject), memory_ids))

    async def remains(self, tenant: str, subject: str, memory_ids: Sequence[str]) -> int:
        """See `HostedMemory.remains`."""
        user = user_of(tenant, subject)
        return await self._call(lambda client: sum(1 for _ in self._copies(client, user, set(memory_ids))))

    async def _call(self, work: Callable[[Any], T]) -> T:
        """Run the SDK, which blocks, in a thread; its errors tell bodies, so only their kind is passed on."""
        try:
            return await asyncio.to_thread(lambda: work(self._connected()))
        except Exception as error:  # noqa: BLE001 - the SDK raises its own, httpx's and built-in ones
            kind = type(error).__name__
            raise Unavailable("mem0", f"hosted Mem0 does not answer as it should ({kind})", 10.0) from None

    def _connected(self) -> Any:
        if self._client is None:
            # Read by the package when it is imported: no telemetry, and nothing in the home directory.
            os.environ["MEM0_TELEMETRY"] = "False"
            os.environ["MEM0_DIR"] = str(self._folder)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            from mem0 import MemoryClient

            self._client = MemoryClient(api_key=self._api_key, host=self._base_url)
            self._client.client.timeout = TIMEOUT_S
        return self._client

    def _put(self, client: Any, copy: HostedCopy) -> None:
        user = user_of(copy.tenant, copy.subject)
        metadata = {**copy.metadata, MEMORY_ID: copy.memory_id, "category": copy.category}
        known = list(self._copies(client, user, {copy.memory_id}))
        for surplus in known[1:]:
            client.delete(surplus)
        if known:
            client.update(known[0], text=copy.content, metadata=metadata)
            return
        client.add(
            copy.content,
            user_id=user,
            agent_id=copy.agent_id,
            run_id=copy.session_id,
            metadata=metadata,
            timestamp=copy.occurred_at,
            infer=False,
        )

    def _remove(self, client: Any, user: str, memory_ids: Sequence[str]) -> int:
        found = list(self._copies(client, user, set(memory_ids)))
        for remote_id in found:
            client.delete(remote_id)
        return len(found)

    def _copies(self, client: Any, user: str, memory_ids: set[str]) -> Iterator[str]:
        """Yield the service's own ids of copies, whichever page of the user's memories they stand on."""
        page, found = 1, []
        while True:
            answer = client.get_all(filters={"user_id": user}, page=page, page_size=PAGE)
            found += answer["results"]
            if not answer.get("next"):
                break
            page += 1
        for each in found:
            if (each.get("metadata") or {}).get(MEMORY_ID) in memory_ids:
                yield str(each["id"])


def user_of(tenant: str, subject: str) -> str:
    """Return the name of a data subject at the hosted service, which holds all tenants."""
    return f"{tenant}:{subject}"
