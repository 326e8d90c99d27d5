"""What a client may ask of erasure: purges, their approval, legal holds."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from application.bus import Command

LONGEST_REASON = 1000
ExternalId = Annotated[str, Meta(min_length=1, max_length=256)]
Category = Annotated[str, Meta(min_length=1, max_length=63)]
Reason = Annotated[str, Meta(min_length=1, max_length=LONGEST_REASON)]
When = Annotated[str, Meta(max_length=40, extra_json_schema={"format": "date-time"})]


class RequestPurge(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Erase what meets every selector that is given; at least one is needed (roles admin, operator).

    `before_date` is a date or time (ISO 8601, UTC if bare): what happened before it is reached. With
    `dry_run` nothing happens, and what would be erased is counted. With `require_approval` somebody else has
    to approve first. Raises InvalidInput, and Conflict for what a legal hold protects.
    """

    reason: Reason
    subject_id: ExternalId | None = None
    category: Category | None = None
    before_date: When | None = None
    legal_basis: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    dry_run: bool = False
    require_approval: bool = False

    def __repr__(self) -> str:
        return f"RequestPurge(category={self.category})"


class ApprovePurge(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let somebody else's purge begin (role admin). Raises NotFound, Forbidden, Conflict."""

    purge_id: str


class RejectPurge(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Refuse a purge that waits for an approval (role admin). Raises NotFound, Conflict."""

    purge_id: str


class HoldPlacement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be kept: what meets every condition that is given; at least one is needed.

    `from` and `to` bound the time that an item is about (ISO 8601, UTC if bare), half-open.
    """

    reason: Reason
    subject_id: ExternalId | None = None
    category: Category | None = None
    since: When | None = msgspec.field(name="from", default=None)
    until: When | None = msgspec.field(name="to", default=None)

    def __repr__(self) -> str:
        return f"HoldPlacement(category={self.category})"


class PlaceHold(Command, frozen=True, kw_only=True):
    """Keep something for a legal reason: no purge and no time to live touches it (roles admin, operator)."""

    placement: HoldPlacement


class ReleaseHold(Command, frozen=True, kw_only=True):
    """End a legal hold (roles admin, operator). Raises NotFound."""

    hold_id: str
