"""Erasures under way, in memory: what they reach is hidden and not written to, on every API process."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from domain.kernel.errors import Conflict
from domain.kernel.events import Envelope
from domain.memory.erasure_events import SelectionFreed, SelectionTombstoned
from domain.memory.selection import Selection

TYPES: tuple[str, ...] = (SelectionTombstoned.TYPE, SelectionFreed.TYPE)


class ErasureDirectory:
    """Folds tombstones; answers from memory."""

    def __init__(self) -> None:
        self._erasing: dict[str, dict[str, Selection]] = {}
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def apply(self, envelope: Envelope[Any]) -> None:
        """Fold one event; events of other types change nothing."""
        match envelope.event:
            case SelectionTombstoned() as event:
                self._erasing.setdefault(envelope.tenant, {})[event.purge_id] = event.selection
            case SelectionFreed() as event:
                self._erasing.get(envelope.tenant, {}).pop(event.purge_id, None)
                for waiting in self._waiting.pop(event.purge_id, ()):
                    waiting.set()

    def selections(self, tenant: str) -> tuple[Selection, ...]:
        """Return what is being erased now; what is over by its time to live is hidden anyway."""
        return tuple(s for s in self._erasing.get(tenant, {}).values() if s.expiry is None)

    def hidden(self, tenant: str, subject: str | None, category: str, at: datetime) -> str | None:
        """Return the erasure that is taking such an item now, None when none is."""
        for purge_id, selection in self._erasing.get(tenant, {}).items():
            if selection.expiry is None and selection.reaches(subject, category, at):
                return purge_id
        return None

    def require_free(self, tenant: str, subject: str | None, category: str, at: datetime) -> None:
        """Raise Conflict when such an item cannot be written because it is being erased."""
        purge_id = self.hidden(tenant, subject, category, at)
        if purge_id is not None:
            raise Conflict(f"purge {purge_id} is erasing this selection; write it again when it is completed")

    async def freed(self, tenant: str, purge_id: str, timeout_s: float) -> bool:
        """Wait until an erasure has ended here; False when the time passed first."""
        done = asyncio.Event()
        self._waiting.setdefault(purge_id, set()).add(done)
        try:
            if purge_id not in self._erasing.get(tenant, {}):
                return True
            async with asyncio.timeout(timeout_s):
                await done.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting.get(purge_id, set()).discard(done)
        return True
