"""The record of one gateway request: the language in which orchestration, usage and audit speak of it.

It stands in the kernel because several contexts read it and contexts do not import each other. One request
is one event: the decision, every attempt with its own usage and cost, and the sum.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec

from domain.kernel.events import Event
from domain.kernel.personal import Erased, Personal

_SEALED = Personal(subject="subject", category="=requests", moment="started_at")
UsageSource = Literal["provider", "partial", "estimated", "none"]
Outcome = Literal["succeeded", "failed", "cancelled", "interrupted"]


class TokenCounts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens of one answer. `input` holds everything read, cached or not; an explicit 0 differs from None.

    `cache_write_1h` is the part of `cache_write` that is kept for an hour. `audio_input` and `audio_output`
    are parts of input and output. `web_searches` counts calls of the provider's own search, not tokens.
    """

    input: int | None = None
    cached_input: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cache_write_1h: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    web_searches: int | None = None

    @property
    def total(self) -> int:
        """Return input plus output, counting what was not reported as 0."""
        return (self.input or 0) + (self.output or 0)


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a request should go and why. `targets` are `provider/model` in the order of the attempts.

    `fallback_off`: the caller wanted the first target or an error. `least_bad`: no target was fit for use.
    """

    requested_model: str
    policy: str | None = None
    rule: str | None = None
    strategy: str = "order"
    targets: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    why: str = ""
    latency_budget_ms: int | None = None
    experiment: str | None = None
    arm: str | None = None
    fallback_off: bool = False
    least_bad: bool = False


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call of one provider. Times are milliseconds; `started_ms` counts from the request's start.

    `outcome` is `ok` or the kind of failure (`status`, `timeout_first_byte`, `cut`, ...); `cost_micros` is
    None when no price is known.
    """

    provider: str
    model: str
    outcome: str
    started_ms: int
    duration_ms: int
    credential: str = ""
    status: int | None = None
    first_content_ms: int | None = None
    usage: TokenCounts | None = None
    usage_source: UsageSource = "none"
    cost_micros: int | None = None
    price_version: str | None = None
    detail: str = ""


class PiiReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was done about personal data: how often each kind was found, never what.

    `prompts` and `answers` are the policy's modes; `detector_version` tells by which rules was searched.
    """

    detector_version: int
    prompts: str = "off"
    answers: str = "off"
    in_prompt: dict[str, int] = {}
    in_answer: dict[str, int] = {}


class RequestRecorded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A gateway request ended, whatever its outcome; durable before the last byte of the answer leaves."""

    TYPE: ClassVar[str] = "usage.request_recorded"

    request_id: str
    operation: str
    dialect: str
    workspace: str
    key_id: str
    started_at: datetime
    duration_ms: int
    outcome: Outcome
    status: int
    decision: Decision
    attempts: tuple[Attempt, ...]
    stream: bool = False
    segment: str | None = None
    session: str | None = None
    provider: str | None = None
    model: str | None = None
    usage: TokenCounts | None = None
    usage_source: UsageSource = "none"
    cost_micros: int | None = 0
    unpriced: bool = False
    first_content_ms: int | None = None
    fallback_reason: str | None = None
    error_code: str | None = None
    finish_reason: str | None = None
    pii: PiiReport | None = None
    subject: str | None = None
    user: Annotated[str | Erased | None, _SEALED] = None
    prompt: Annotated[str | Erased | None, _SEALED] = None
    answer: Annotated[str | Erased | None, _SEALED] = None


class ShadowRecorded(RequestRecorded, frozen=True, kw_only=True, omit_defaults=True):
    """A copy of the request `shadow_of` went to an experiment's shadow target; nobody saw its answer.

    It counts towards quotas like any request, but it is not one of the caller's: success rates, latencies and
    usage know nothing of it. One that was refused, or for which there was no room, has no attempts.
    """

    TYPE: ClassVar[str] = "usage.shadow_recorded"

    shadow_of: str

    @classmethod
    def of(cls, record: RequestRecorded, shadow_of: str) -> ShadowRecorded:
        """Return a record as that of a shadow; it names no person and holds no text."""
        fields = {name: getattr(record, name) for name in RequestRecorded.__struct_fields__}
        return cls(**fields | {"user": None, "prompt": None, "answer": None}, shadow_of=shadow_of)
