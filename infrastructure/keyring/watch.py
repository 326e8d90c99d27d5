"""Empties this process's memory of keys as soon as keys are destroyed anywhere, even when it is idle."""

from __future__ import annotations

import asyncio

from infrastructure.ending import end
from infrastructure.event_store.tail import Doorbell
from infrastructure.keyring.keyring import Keyring
from infrastructure.keyring.wrapping import CHANNEL


class KeyWatch:
    """Listens on the keyring's database; a connection that was lost empties the memory when it is back."""

    def __init__(self, dsn: str, keyring: Keyring) -> None:
        self._doorbell = Doorbell(dsn, CHANNEL)
        self._keyring = keyring
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen in the background."""
        self._task = asyncio.create_task(self._doorbell.at_each_ring(self._keyring.forget), name="key-watch")
        await self._doorbell.start()

    async def close(self) -> None:
        """Stop listening."""
        await end(self._task)
        await self._doorbell.close()
