"""Corrections of one request's usage: each starts from what counted last, and says what counts instead."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from domain.kernel.aggregate import Aggregate
from domain.kernel.errors import FieldError, InvalidInput
from domain.kernel.events import Event
from domain.kernel.request_record import RequestRecorded, TokenCounts
from domain.kernel.usage_correction import Metered, UsageCorrected
from domain.usage.quota_use import is_metered


class Recorded(msgspec.Struct, frozen=True):
    """A request's record and where it stands in the log."""

    position: int
    event: RequestRecorded


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What counts instead; None leaves a count as it is."""

    input: int | None = None
    output: int | None = None
    cached_input: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    cost_micros: int | None = None


class Correction(Aggregate):
    """The consistency boundary of one request's corrections."""

    KIND: ClassVar[str] = "usage-correction"

    number: int
    counts: Metered | None

    def initialise(self) -> None:
        """Start with what was recorded."""
        self.number = 0
        self.counts = None

    def apply(self, event: Event) -> None:
        """Fold one event."""
        if isinstance(event, UsageCorrected):
            self.number, self.counts = event.number, event.after

    def correct(self, record: Recorded, change: Change, reason: str, at: datetime) -> UsageCorrected:
        """Decide what counts from now on. Raises InvalidInput for what is no usage or changes nothing."""
        event = record.event
        if not is_metered(event):
            raise InvalidInput.at(
                "/request_id", "this request was refused or only counted tokens: it is not usage"
            )
        before = self.counts or metered(event)
        after = changed(before, change)
        _check(after.usage)
        if after == before:
            raise InvalidInput.at("/", "this changes nothing: give a token count or cost_usd that differs")
        made = UsageCorrected(
            request_id=event.request_id,
            corrects_position=record.position,
            number=self.number + 1,
            reason=reason,
            corrected_at=at,
            before=before,
            after=after,
            started_at=event.started_at,
            workspace=event.workspace,
            key_id=event.key_id,
            segment=event.segment,
            subject=event.subject,
            provider=event.provider,
            model=event.model,
        )
        self.record(made, at)
        return made


def metered(event: RequestRecorded) -> Metered:
    """Return what a record says that a request used and cost."""
    return Metered(usage=event.usage or TokenCounts(), cost_micros=event.cost_micros, unpriced=event.unpriced)


def changed(before: Metered, change: Change) -> Metered:
    """Return what counts after a change; a given cost is a known one."""
    counts = {
        name: value
        for name in change.__struct_fields__
        if name != "cost_micros" and (value := getattr(change, name)) is not None
    }
    usage = msgspec.structs.replace(before.usage, **counts)
    if change.cost_micros is None:
        return msgspec.structs.replace(before, usage=usage)
    return Metered(usage=usage, cost_micros=change.cost_micros, unpriced=False)


def _check(usage: TokenCounts) -> None:
    errors = []
    read, wrote = usage.input or 0, usage.output or 0
    if (usage.cached_input or 0) + (usage.cache_write or 0) > read:
        errors.append(FieldError("/cached_tokens", f"cached and written tokens exceed the input of {read}"))
    if (usage.reasoning or 0) > wrote:
        errors.append(FieldError("/reasoning_tokens", f"reasoning exceeds the output of {wrote}"))
    if errors:
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}", errors)
