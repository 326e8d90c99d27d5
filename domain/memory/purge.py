"""One erasure, from the wish to its certificate: which step comes next, and what the steps before found."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from domain.kernel.aggregate import Aggregate
from domain.kernel.errors import Conflict, Forbidden, NotFound
from domain.kernel.events import Event
from domain.memory.erasure_events import (
    Origin,
    PurgeApproved,
    PurgeCompleted,
    PurgeKeysDestroyed,
    PurgeRejected,
    PurgeRekeyed,
    PurgeRequested,
    PurgeScoped,
    PurgeStarted,
    PurgeStoreErased,
    PurgeStoreRenewed,
    PurgeVerified,
)
from domain.memory.selection import Selection, check_selection

Status = Literal["unknown", "awaiting_approval", "rejected", "running", "completed"]


class Purge(Aggregate):
    """The consistency boundary of one erasure; its steps are recorded as they are done."""

    KIND: ClassVar[str] = "purge"

    def initialise(self) -> None:
        """Start before the wish."""
        self.status: Status = "unknown"
        self.requested: PurgeRequested | None = None
        self.approved: PurgeApproved | None = None
        self.started: PurgeStarted | None = None
        self.completed: PurgeCompleted | None = None
        self.scopes: list[PurgeScoped] = []
        self.rekeyed: list[PurgeRekeyed] = []
        self.destroyed: list[PurgeKeysDestroyed] = []
        self.erased: dict[str, int] = {}
        self.rewritten: dict[str, str] = {}
        self.verified: PurgeVerified | None = None

    def apply(self, event: Event) -> None:
        """Fold one event."""
        match event:
            case PurgeRequested():
                self.requested = event
                self.status = "awaiting_approval" if event.approval_required else "running"
            case PurgeApproved():
                self.approved = event
            case PurgeRejected():
                self.status = "rejected"
            case PurgeStarted():
                self.started, self.status = event, "running"
            case PurgeCompleted():
                self.completed, self.status = event, "completed"
            case _:
                self._apply_step(event)

    def _apply_step(self, event: Event) -> None:
        match event:
            case PurgeScoped():
                self.scopes.append(event)
                self.erased, self.rewritten, self.verified = {}, {}, None
            case PurgeRekeyed():
                self.rekeyed.append(event)
            case PurgeKeysDestroyed():
                self.destroyed.append(event)
            case PurgeStoreErased():
                self.erased[event.store] = event.removed
            case PurgeStoreRenewed():
                self.rewritten[event.store] = event.how
            case PurgeVerified():
                self.verified = event

    @property
    def round(self) -> int:
        """Return the number of the round under way, counted from 1; 0 before the first."""
        return len(self.scopes)

    @property
    def selection(self) -> Selection:
        """Return what the erasure reaches. Raises NotFound before there is one."""
        if self.requested is None:
            raise NotFound("there is no such purge")
        return self.requested.selection

    def found(self) -> dict[str, int]:
        """Return what was found by store, over all rounds."""
        total: dict[str, int] = {}
        for scoped in self.scopes:
            for store, count in scoped.found.items():
                total[store] = total.get(store, 0) + count
        return total

    def request(
        self,
        purge_id: str,
        selection: Selection,
        reason: str,
        actor: str,
        at: datetime,
        *,
        legal_basis: str | None = None,
        approval_required: bool = False,
        origin: Origin = "request",
    ) -> None:
        """Ask for an erasure. Raises InvalidInput for a selection that cannot be meant."""
        if self.requested is not None:
            return
        if origin == "request":
            check_selection(selection, at)
        event = PurgeRequested(
            purge_id=purge_id,
            selection=selection,
            reason=reason,
            requested_by=actor,
            requested_at=at,
            legal_basis=legal_basis,
            approval_required=approval_required,
            origin=origin,
        )
        self.record(event, at)
        if not approval_required:
            self.record(PurgeStarted(purge_id=purge_id, started_at=at), at)

    def approve(self, purge_id: str, actor: str, at: datetime) -> None:
        """Let an erasure begin. Raises NotFound, Forbidden to its requester, Conflict when it needs none."""
        requested = self._requested(purge_id)
        if self.approved is not None:
            return
        self._require_waiting(purge_id)
        if actor == requested.requested_by:
            raise Forbidden(
                "who asked for a purge cannot approve it; let somebody else, with another key, do it"
            )
        self.record(PurgeApproved(purge_id=purge_id, approved_by=actor, approved_at=at), at)
        self.record(PurgeStarted(purge_id=purge_id, started_at=at), at)

    def reject(self, purge_id: str, actor: str, at: datetime) -> None:
        """Refuse an erasure, or take one's own wish back. Raises NotFound, Conflict once it began."""
        self._requested(purge_id)
        if self.status == "rejected":
            return
        self._require_waiting(purge_id)
        self.record(PurgeRejected(purge_id=purge_id, rejected_by=actor, rejected_at=at), at)

    def _requested(self, purge_id: str) -> PurgeRequested:
        if self.requested is None:
            raise NotFound(f"there is no purge '{purge_id}'")
        return self.requested

    def _require_waiting(self, purge_id: str) -> None:
        if self.status != "awaiting_approval":
            raise Conflict(f"purge {purge_id} waits for no approval: it is {self.status}")

    def note(self, step: Event, at: datetime) -> None:
        """Record a step that was done."""
        self.record(step, at)
