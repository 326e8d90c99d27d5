"""What is outside the stores and the log: read models, API processes, the ledger, the signature."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from application.processes.erasure.ports import LedgerEntry
from domain.kernel.errors import Unavailable
from infrastructure.erasure.ledger import PurgeLedger
from infrastructure.erasure.signing import Signer
from infrastructure.event_store.reader import LogReader
from projections.wait import ProjectionWaiter

PATIENCE_S = 60.0
Everywhere = Callable[[int], Awaitable[bool]]


class OutsideWorld:
    """Implements ErasureWorld. `everywhere` waits for the in-memory state of every API process."""

    def __init__(
        self,
        reader: LogReader,
        waiter: ProjectionWaiter,
        everywhere: Everywhere,
        ledger: PurgeLedger,
        signer: Signer,
    ) -> None:
        self._reader = reader
        self._waiter = waiter
        self._everywhere = everywhere
        self._ledger = ledger
        self._signer = signer

    async def settled(self, position: int) -> None:
        """Return when every read model has a position."""
        if not await self._waiter.caught_up(position, timeout_s=PATIENCE_S):
            raise Unavailable("projections", f"the read models have not reached position {position}", 2.0)

    async def hidden(self, position: int) -> None:
        """Return when every API process has applied the control events up to a position."""
        if not await self._everywhere(position):
            raise Unavailable("api", f"an API process has not applied position {position}", 1.0)

    async def head(self) -> tuple[int, str]:
        """Return where the log ends."""
        position, chain = await self._reader.head_and_chain()
        return position, chain.hex()

    async def enter(self, entry: LedgerEntry) -> None:
        """Write into the ledger of purges."""
        await asyncio.to_thread(self._ledger.enter, entry)

    def sign(self, certificate: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a signed certificate."""
        return self._signer.sign(certificate)
