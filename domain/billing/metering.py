"""What of a request is billed, and the cells in which it is counted.

A cell holds the usage of one model that began in one quarter of an hour and stands in one block of the log.
Every time zone's midnight is the start of a quarter, so cells add up to any billing period, and with the
events of one block to any position of the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from domain.kernel.request_record import RequestRecorded, TokenCounts
from domain.kernel.usage_correction import Metered, UsageCorrected

BLOCK_BITS = 12
"""A block is 4096 positions of the log: so many events at most are read to know the usage at a position."""

_NOTHING = TokenCounts()


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """Usage added up. `input` excludes what was read from or written to a cache; reasoning is output."""

    requests: int = 0
    unpriced: int = 0
    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    cost_micros: int = 0

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(**{n: getattr(self, n) - getattr(other, n) for n in AMOUNTS})

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(**{n: getattr(self, n) + getattr(other, n) for n in AMOUNTS})

    @property
    def tokens(self) -> int:
        """Return all tokens."""
        return self.input + self.cached_input + self.cache_write + self.output


AMOUNTS: tuple[str, ...] = Amounts.__struct_fields__


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of one model, `provider/model`, that began in the quarter of an hour from `quarter` on."""

    model: str
    amounts: Amounts
    quarter: datetime | None = None


def is_billable(event: RequestRecorded) -> bool:
    """Tell whether a request is usage: refused requests and counting tokens are not."""
    return bool(event.attempts) and event.operation != "count_tokens"


def amounts_of(event: RequestRecorded) -> Amounts:
    """Return what one request adds."""
    usage = event.usage or _NOTHING
    return _amounts(Metered(usage=usage, cost_micros=event.cost_micros, unpriced=event.unpriced), 1)


def corrected_cell_of(event: UsageCorrected) -> Cell:
    """Return what a correction adds to the cell of the request that it names; amounts may be negative."""
    more = _amounts(event.after, 0) - _amounts(event.before, 0)
    return Cell(model=model_of(event), quarter=quarter_of(event.started_at), amounts=more)


def _amounts(metered: Metered, requests: int) -> Amounts:
    usage = metered.usage
    cached, written = usage.cached_input or 0, usage.cache_write or 0
    return Amounts(
        requests=requests,
        unpriced=int(metered.unpriced),
        input=max(0, (usage.input or 0) - cached - written),
        cached_input=cached,
        cache_write=written,
        output=usage.output or 0,
        cost_micros=metered.cost_micros or 0,
    )


def cell_of(event: RequestRecorded) -> Cell:
    """Return the cell of one request."""
    return Cell(model=model_of(event), quarter=quarter_of(event.started_at), amounts=amounts_of(event))


def model_of(event: RequestRecorded | UsageCorrected) -> str:
    """Return `provider/model`, at most 256 characters."""
    return f"{event.provider or ''}/{event.model or ''}"[:256]


def quarter_of(at: datetime) -> datetime:
    """Return the start of the quarter of an hour that holds an instant, UTC."""
    utc = at.astimezone(UTC)
    return utc.replace(minute=utc.minute - utc.minute % 15, second=0, microsecond=0)


def block_of(position: int) -> int:
    """Return the block in which a position of the log lies."""
    return position >> BLOCK_BITS


def first_of(block: int) -> int:
    """Return the first position of a block."""
    return block << BLOCK_BITS


def by_model(cells: Iterable[Cell]) -> list[Cell]:
    """Add cells up by model, in the order of the models' names."""
    sums: dict[str, Amounts] = {}
    for cell in cells:
        known = sums.get(cell.model)
        sums[cell.model] = cell.amounts if known is None else known + cell.amounts
    return [Cell(model=model, amounts=sums[model]) for model in sorted(sums)]
