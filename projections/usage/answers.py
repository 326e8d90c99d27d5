"""What the usage queries answer; the API shows these as they are. Money is in millionths of a US dollar."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from domain.kernel.request_record import Decision, Outcome, PiiReport, UsageSource
from domain.kernel.usage_correction import Metered

By = Literal["model", "provider", "workspace", "segment", "key", "user"]
Interval = Literal["hour", "day", "week", "month"]


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds from a request's start to the end of its answer; None where there is nothing to measure.

    Quantiles come from histograms and are off by at most 5 %, usually by less than 1 %.
    """

    avg: float | None = None
    p50: float | None = None
    p95: float | None = None


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over requests. `input_tokens` includes `cached_tokens`, `output_tokens` the reasoning tokens.

    Shares are of requests, None without any; `cost_micros` leaves out the `unpriced_requests`.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    audio_input_tokens: int
    audio_output_tokens: int
    web_searches: int
    cost_micros: int
    cost_usd: str
    success_rate: float | None
    latency_ms: Latency
    estimated_share: float | None
    unpriced_requests: int


class UsageSummary(Totals, frozen=True, kw_only=True):
    """A tenant's usage in [period_start, period_end), with every event up to `as_of_position`."""

    as_of_position: int
    period_start: datetime
    period_end: datetime


class BreakdownItem(Totals, frozen=True, kw_only=True):
    """The usage of one value of the dimension, which gives its field its name; None where there was none.

    For users `subject` is the reference that stays when the name was erased. `interval_start` is UTC.
    """

    interval_start: datetime | UnsetType = UNSET
    model: str | UnsetType | None = UNSET
    provider: str | UnsetType | None = UNSET
    workspace: str | UnsetType | None = UNSET
    segment: str | UnsetType | None = UNSET
    key: str | UnsetType | None = UNSET
    user: str | UnsetType | None = UNSET
    subject: str | UnsetType | None = UNSET


class UsageBreakdown(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's usage by one dimension, dearest first; `truncated` when some items were left out."""

    by: By
    interval: Interval | None
    items: list[BreakdownItem]
    truncated: bool
    as_of_position: int
    period_start: datetime
    period_end: datetime


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one answer, None where the provider reported nothing; an explicit 0 is 0."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    web_searches: int | None = None


class UsageEvent(Tokens, frozen=True, kw_only=True):
    """One request, one line of an export, as it counts after the number of `corrections` it had."""

    request_id: str
    position: int
    started_at: datetime
    workspace: str
    key_id: str
    segment: str | None
    session: str | None
    user: str | None
    subject: str | None
    operation: str
    dialect: str
    stream: bool
    provider: str | None
    model: str | None
    outcome: Outcome
    status: int
    error_code: str | None
    finish_reason: str | None
    fallback_reason: str | None
    duration_ms: int
    first_content_ms: int | None
    usage_source: UsageSource
    cost_micros: int | None
    cost_usd: str | None
    unpriced: bool
    corrections: int
    metered: bool


class CorrectionView(msgspec.Struct, frozen=True, kw_only=True):
    """One correction of a request: what counted before it, and what counts since; the record stays."""

    request_id: str
    number: int
    reason: str
    corrected_at: datetime
    corrected_by: str
    corrects_position: int
    position: int
    before: Metered
    after: Metered


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One call of one provider, with its own usage, cost and the version of the prices."""

    provider: str
    model: str
    outcome: str
    started_ms: int
    duration_ms: int
    credential: str
    status: int | None
    first_content_ms: int | None
    usage: Tokens | None
    usage_source: UsageSource
    cost_micros: int | None
    cost_usd: str | None
    price_version: str | None
    detail: str


class RequestRecord(UsageEvent, frozen=True, kw_only=True):
    """The full record of a request: the decision and why, and every attempt.

    `usage` holds the token counts as one object, None when there were none. `metered` is False for what is
    not usage: refused requests and token counts. Stored text stays sealed in the log; `text_stored` tells
    that there is some. `pii` tells how often each kind of personal data was found, when the policy asks.
    Of a corrected request the counts are those that count now; `corrected` tells what
    was recorded, and `attempts` stay as they were.
    """

    recorded_at: datetime
    usage: Tokens | None
    price_version: str | None
    decision: Decision
    attempts: list[AttemptRecord]
    text_stored: bool
    pii: PiiReport | None
    corrected: list[CorrectionView] = []


class RequestPage(msgspec.Struct, frozen=True):
    """Requests, newest first; `next_cursor` is None on the last page."""

    items: list[UsageEvent]
    next_cursor: str | None
