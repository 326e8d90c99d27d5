"""Corrections: each starts from the last, names the record, and what is no correction is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.kernel.errors import InvalidInput
from domain.kernel.request_record import Attempt, Decision, RequestRecorded, TokenCounts
from domain.kernel.usage_correction import Metered
from domain.usage.correction import Change, Correction, Recorded

AT = datetime(2030, 1, 2, tzinfo=UTC)
USED = TokenCounts(input=100, cached_input=10, output=50)


def record(**changes: object) -> Recorded:
    attempt = Attempt(provider="p", model="m", outcome="ok", started_ms=0, duration_ms=1)
    fields = {
        "request_id": "req_1",
        "operation": "chat",
        "dialect": "openai",
        "workspace": "sales",
        "key_id": "k1",
        "segment": "vip",
        "subject": "s_1",
        "started_at": datetime(2030, 1, 1, tzinfo=UTC),
        "duration_ms": 1,
        "outcome": "succeeded",
        "status": 200,
        "decision": Decision(requested_model="auto"),
        "attempts": (attempt,),
        "usage": USED,
        "cost_micros": None,
        "unpriced": True,
        **changes,
    }
    return Recorded(7, RequestRecorded(**fields))  # type: ignore[arg-type]  # fields of a test


def correction() -> Correction:
    return Correction.blank("acme/usage-correction/req_1", AT)


def test_a_correction_names_what_it_corrects_and_where_it_counts():
    event = correction().correct(record(), Change(output=70, cost_micros=9), "provider invoice", AT)
    assert (event.request_id, event.corrects_position, event.number) == ("req_1", 7, 1)
    assert event.before == Metered(usage=USED, cost_micros=None, unpriced=True)
    assert event.after.usage == TokenCounts(input=100, cached_input=10, output=70)
    assert (event.after.cost_micros, event.after.unpriced) == (9, False)
    assert (event.tokens_more, event.micros_more) == (20, 9)
    assert (event.workspace, event.key_id, event.segment, event.subject) == ("sales", "k1", "vip", "s_1")


def test_the_next_correction_starts_from_the_last():
    made = correction()
    first = made.correct(record(), Change(output=70), "one", AT)
    second = made.correct(record(), Change(output=0, cost_micros=0), "two", AT)
    assert (second.number, second.before) == (2, first.after)
    assert (second.tokens_more, second.micros_more) == (-70, 0)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (Change(), "/"),
        (Change(output=50), "/"),
        (Change(cached_input=101), "/cached_tokens"),
        (Change(input=5), "/cached_tokens"),
        (Change(reasoning=51), "/reasoning_tokens"),
    ],
)
def test_what_changes_nothing_or_cannot_be_is_refused(change: Change, pointer: str):
    with pytest.raises(InvalidInput) as refused:
        correction().correct(record(), change, "why", AT)
    assert refused.value.errors[0].pointer == pointer


@pytest.mark.parametrize("changes", [{"attempts": ()}, {"operation": "count_tokens"}])
def test_what_is_no_usage_cannot_be_corrected(changes: dict[str, object]):
    with pytest.raises(InvalidInput, match="not usage"):
        correction().correct(record(**changes), Change(output=1), "why", AT)
