"""What erasure needs from the outside world. A pillar that keeps personal data adds an `ErasableStore`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from domain.memory.selection import Selection


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What one round of an erasure reaches: a selection, up to a position of the log and a time."""

    tenant: str
    purge_id: str
    selection: Selection
    upto: int
    at: datetime

    def command(self, step: str) -> str:
        """Return the command id of a round's step, which is stored once however often the step is done."""
        return f"{self.purge_id}.{step}.{self.upto}"


class KeyScope(msgspec.Struct, frozen=True, order=True):
    """Whose data a key seals, within a tenant: one subject's, of one category, in one month."""

    subject: str
    category: str
    month: str


class Found(msgspec.Struct, frozen=True):
    """How many items a store holds of a selection, and which keys may seal others besides.

    `shared` are scopes of the month in which the selection ends: items of theirs may stay. Keys of earlier
    months are found without a store's help.
    """

    count: int
    shared: frozenset[KeyScope] = frozenset()


class ErasableStore(Protocol):
    """A place that holds or derives personal data. Every method may be repeated after a crash.

    `find` counts, before keys are destroyed. `keep` seals anew what stays and was sealed by one of the keys;
    it returns how much. `erase` returns how many items it took out of every reading. `rewrite` leaves no byte
    in files and says how. `verify` returns how many items are left. All raise Unavailable to be tried again.
    """

    name: str

    async def find(self, reach: Reach) -> Found: ...

    async def keep(self, reach: Reach, kids: Sequence[str]) -> int: ...

    async def erase(self, reach: Reach) -> int: ...

    async def rewrite(self, reach: Reach) -> str: ...

    async def verify(self, reach: Reach) -> int: ...


class Destroyed(Protocol):
    """What destroying keys came to; `opened_after` counts attempts that succeeded: it must be 0."""

    @property
    def destroyed(self) -> int: ...

    @property
    def attempts(self) -> int: ...

    @property
    def opened_after(self) -> int: ...


class ErasureKeys(Protocol):
    """The data keys of a tenant's persons. All methods raise Unavailable."""

    async def choose(self, tenant: str, selection: Selection, shared: frozenset[KeyScope]) -> list[str]:
        """Return the keys that seal what a selection reaches."""
        ...

    async def retire(self, tenant: str, erasure: str, kids: Sequence[str]) -> int:
        """Let keys seal nothing more; returns the position of the last event that they may have sealed."""
        ...

    async def retired(self, tenant: str, erasure: str) -> list[str]:
        """Return the keys retired for an erasure, destroyed or not, sorted."""
        ...

    async def destroy(self, tenant: str, kids: Sequence[str], erasure: str) -> Destroyed:
        """Destroy keys everywhere, then try to open them."""
        ...


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An erasure that must be done again if a log is restored that does not know it.

    `position` and `chain` are the log's when the erasure began.
    """

    purge_id: str
    tenant: str
    selection: Selection
    reason: str
    at: datetime
    position: int
    chain: str
    legal_basis: str | None = None


class ErasureWorld(Protocol):
    """What is outside the stores and the log."""

    async def settled(self, position: int) -> None:
        """Return when every read model has a position. Raises Unavailable when that takes too long."""
        ...

    async def hidden(self, position: int) -> None:
        """Return when every API process hides what was tombstoned up to a position."""
        ...

    async def head(self) -> tuple[int, str]:
        """Return the position of the newest event and the chain value there, in hex."""
        ...

    async def enter(self, entry: LedgerEntry) -> None:
        """Write into the ledger of purges, once; durable when this returns."""
        ...

    def sign(self, certificate: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a certificate with its signature and what is needed to check it."""
        ...
