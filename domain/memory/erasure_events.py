"""What happens to erasures and legal holds. None holds personal data: subjects stand as pseudonyms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

from domain.kernel.events import Event
from domain.memory.selection import HeldScope, Selection

Origin = Literal["request", "ttl", "ledger"]


class LegalHoldPlaced(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Something must be kept for a legal reason: no erasure touches it until the hold is released."""

    TYPE: ClassVar[str] = "memory.legal_hold_placed"

    hold: HeldScope
    reason: str
    placed_at: datetime


class LegalHoldReleased(Event, frozen=True, kw_only=True):
    """A legal hold ended."""

    TYPE: ClassVar[str] = "memory.legal_hold_released"

    hold_id: str
    released_at: datetime


class SelectionTombstoned(Event, frozen=True, kw_only=True):
    """An erasure began: what it reaches is hidden from now on, and nothing is written to it meanwhile."""

    TYPE: ClassVar[str] = "memory.selection_tombstoned"

    purge_id: str
    selection: Selection
    tombstoned_at: datetime


class SelectionFreed(Event, frozen=True, kw_only=True):
    """An erasure ended, and what it reached may be written to again."""

    TYPE: ClassVar[str] = "memory.selection_freed"

    purge_id: str
    freed_at: datetime


class PurgeRequested(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An actor, a policy (`ttl`) or the ledger of purges (`ledger`, after a restore) asked for an erasure."""

    TYPE: ClassVar[str] = "memory.purge_requested"

    purge_id: str
    selection: Selection
    reason: str
    requested_by: str
    requested_at: datetime
    legal_basis: str | None = None
    approval_required: bool = False
    origin: Origin = "request"


class PurgeApproved(Event, frozen=True, kw_only=True):
    """A second person agreed; `approved_by` is an actor."""

    TYPE: ClassVar[str] = "memory.purge_approved"

    purge_id: str
    approved_by: str
    approved_at: datetime


class PurgeRejected(Event, frozen=True, kw_only=True):
    """Somebody refused an erasure that waited for an approval, or took the wish back: it never begins."""

    TYPE: ClassVar[str] = "memory.purge_rejected"

    purge_id: str
    rejected_by: str
    rejected_at: datetime


class PurgeStarted(Event, frozen=True, kw_only=True):
    """An erasure may begin: no hold protects what it reaches. The background work starts from here."""

    TYPE: ClassVar[str] = "memory.purge_started"

    purge_id: str
    started_at: datetime


class PurgeScoped(Event, frozen=True, kw_only=True):
    """What is to be erased is a closed set, which this round found: items by store, and how many data keys.

    Nothing behind `upto` belongs to it. `head` and `chain` (hex) are where the log ended then. A later round
    adds what was under way when the first one looked.
    """

    TYPE: ClassVar[str] = "memory.purge_scoped"

    purge_id: str
    round: int
    upto: int
    head: int
    chain: str
    found: Mapping[str, int]
    keys: int
    scoped_at: datetime


class PurgeRekeyed(Event, frozen=True, kw_only=True):
    """What shares a data key with what is erased, and stays, was sealed anew: items by store."""

    TYPE: ClassVar[str] = "memory.purge_rekeyed"

    purge_id: str
    round: int
    kept: Mapping[str, int]


class PurgeKeysDestroyed(Event, frozen=True, kw_only=True):
    """The data keys were destroyed, and none of `attempts` to open one afterwards succeeded.

    `key_ids_sha256` is of the sorted ids, one a line; the ids themselves stand in the keyring.
    """

    TYPE: ClassVar[str] = "memory.purge_keys_destroyed"

    purge_id: str
    round: int
    destroyed: int
    attempts: int
    opened_after: int
    key_ids_sha256: str
    key_ids: tuple[str, ...]
    destroyed_at: datetime


class MemoriesErased(Event, frozen=True, kw_only=True):
    """Memories are gone for good; on the plain stream `tenant/erasure/purge_id`."""

    TYPE: ClassVar[str] = "memory.memories_erased"

    purge_id: str
    memory_ids: tuple[str, ...]


class PurgeStoreErased(Event, frozen=True, kw_only=True):
    """One store holds nothing of it any more that a reader could find; `removed` counts what this took."""

    TYPE: ClassVar[str] = "memory.purge_store_erased"

    purge_id: str
    round: int
    store: str
    removed: int


class PurgeStoreRenewed(Event, frozen=True, kw_only=True):
    """One store's files were written anew without what was erased; `how` says what was done."""

    TYPE: ClassVar[str] = "memory.purge_store_renewed"

    purge_id: str
    round: int
    store: str
    how: str


class PurgeVerified(Event, frozen=True, kw_only=True):
    """Every store was looked through again: what was left of it by store, which is 0 for all in the end."""

    TYPE: ClassVar[str] = "memory.purge_verified"

    purge_id: str
    round: int
    left: Mapping[str, int]
    verified_at: datetime


class PurgeCompleted(Event, frozen=True, kw_only=True):
    """An erasure ended; its signed certificate, and what was erased by store."""

    TYPE: ClassVar[str] = "memory.purge_completed"

    purge_id: str
    erased: Mapping[str, int]
    certificate: Mapping[str, Any]
    completed_at: datetime


EVENTS: tuple[type[Event], ...] = (
    LegalHoldPlaced,
    LegalHoldReleased,
    SelectionTombstoned,
    SelectionFreed,
    PurgeRequested,
    PurgeApproved,
    PurgeRejected,
    PurgeStarted,
    PurgeScoped,
    PurgeRekeyed,
    PurgeKeysDestroyed,
    MemoriesErased,
    PurgeStoreErased,
    PurgeStoreRenewed,
    PurgeVerified,
    PurgeCompleted,
)
