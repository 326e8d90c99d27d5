"""The correction of usage that was recorded wrongly: the record stays, a correction names it.

It stands in the kernel beside the record, because usage and billing both read it.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from domain.kernel.events import Event
from domain.kernel.request_record import TokenCounts


class Metered(msgspec.Struct, frozen=True, kw_only=True):
    """What one request used and cost; `unpriced` when the price of a part of it was not known."""

    usage: TokenCounts
    cost_micros: int | None
    unpriced: bool = False


class UsageCorrected(Event, frozen=True, kw_only=True):
    """What a request used or cost was recorded wrongly: `before` counts no longer, `after` counts instead.

    It names the record it corrects by request and position, and says where it counts, so that whatever sums
    usage adds the difference without a look at the record. Numbers count from 1 for each request; the
    `before` of the first is what was recorded.
    """

    TYPE: ClassVar[str] = "usage.corrected"

    request_id: str
    corrects_position: int
    number: int
    reason: str
    corrected_at: datetime
    before: Metered
    after: Metered
    started_at: datetime
    workspace: str
    key_id: str
    segment: str | None = None
    subject: str | None = None
    provider: str | None = None
    model: str | None = None

    @property
    def tokens_more(self) -> int:
        """Return by how many tokens the use grew; negative when it shrank."""
        return self.after.usage.total - self.before.usage.total

    @property
    def micros_more(self) -> int:
        """Return by how many micro-dollars the cost grew; negative when it shrank."""
        return (self.after.cost_micros or 0) - (self.before.cost_micros or 0)
