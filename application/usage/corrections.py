"""Correcting usage: what a request was recorded with counts no longer, but stays in the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from application.bus import Command, Work
from application.usage.money import check_currency
from application.usage.ports import UsagePorts
from domain.kernel.errors import InvalidInput, NotFound
from domain.kernel.request_record import TokenCounts
from domain.kernel.usage_correction import UsageCorrected
from domain.kernel.values import MICROS
from domain.usage.correction import Change, Correction
from domain.usage.quota import MOST_MICROS

WRITERS = ("admin",)
MOST_TOKENS = 10**12
LONGEST_REASON = 500
Count = Annotated[int, Meta(ge=0, le=MOST_TOKENS)]


class CorrectUsage(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say what a request really used or cost (role admin); answers CorrectionAnswer.

    What is left off stays as it counts now. `input_tokens` includes cached and written tokens,
    `output_tokens` the reasoning. The record itself never changes.
    """

    request_id: Annotated[str, Meta(min_length=1, max_length=200)]
    reason: Annotated[str, Meta(min_length=1, max_length=LONGEST_REASON)]
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    cost_usd: Annotated[Decimal, Meta(description="US dollars, at most 6 decimals")] | None = None
    currency: str = "USD"


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What counts for one request."""

    usage: TokenCounts
    cost_micros: int | None


class CorrectionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One correction, the record that it corrects, and what counted before and counts now."""

    request_id: str
    corrects_position: int
    number: int
    reason: str
    corrected_at: datetime
    before: Counted
    after: Counted

    @classmethod
    def of(cls, event: UsageCorrected) -> CorrectionAnswer:
        """Return what an event says."""
        return msgspec.convert(event, cls, from_attributes=True)


async def correct_usage(command: CorrectUsage, work: Work, ports: UsagePorts) -> CorrectionAnswer:
    """Correct a request's usage. Raises Forbidden, InvalidInput, NotFound."""
    work.caller.require(*WRITERS)
    check_currency(command.currency)
    record = await ports.find_record(work.caller.tenant, command.request_id)
    if record is None or work.caller.workspace not in {None, record.event.workspace}:
        raise NotFound(f"there is no request '{command.request_id}'")
    correction = await work.load(Correction, command.request_id)
    event = correction.correct(record, change_of(command), command.reason, work.at)
    await work.save(correction)
    return CorrectionAnswer.of(event)


def change_of(command: CorrectUsage) -> Change:
    """Return the change that is asked for. Raises InvalidInput for a cost that is none."""
    return Change(
        input=command.input_tokens,
        output=command.output_tokens,
        cached_input=command.cached_tokens,
        cache_write=command.cache_write_tokens,
        reasoning=command.reasoning_tokens,
        cost_micros=_micros(command.cost_usd),
    )


def _micros(usd: Decimal | None) -> int | None:
    if usd is None:
        return None
    most = MOST_MICROS // MICROS
    if not usd.is_finite() or not 0 <= usd <= most or usd * MICROS % 1 != 0:
        raise InvalidInput.at("/cost_usd", f"use 0 to {most} US dollars with at most 6 decimals")
    return int(usd * MICROS)


HANDLERS: Mapping[type[Command], Callable[[Any, Work, UsagePorts], Awaitable[Any]]] = {
    CorrectUsage: correct_usage
}
