"""Which data key seals a memory: its subject's, of its category, of the month in which it happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from domain.memory.events import MemoryAdded, MemoryDetails, MemoryRekeyed
from infrastructure.event_store.codec import encode
from infrastructure.keyring.keyring import Scope

NOW = datetime(2030, 5, 6, tzinfo=UTC)


def memory(cls: type = MemoryAdded, **fields: object) -> MemoryAdded:
    usual = {
        "memory_id": "mem_1",
        "subject": "s_anna",
        "category": "support",
        "occurred_at": NOW,
        "added_at": NOW,
        "changed_at": NOW,
        "content": "likes tea",
        "details": MemoryDetails(subject_id="anna"),
    }
    made: MemoryAdded = cls(**usual | fields)
    return made


def scopes(event: MemoryAdded) -> set[Scope]:
    return {scope for _, _, scope in encode(event, "acme", "record", NOW).personal}


def test_content_and_details_are_sealed_by_subject_category_and_month_of_what_happened() -> None:
    occurred = datetime(2029, 11, 30, tzinfo=UTC)
    assert scopes(memory(occurred_at=occurred)) == {Scope("acme", "s_anna", "support", "2029-11")}


def test_the_month_is_that_of_utc() -> None:
    late = datetime(2029, 11, 30, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert {scope.bucket for scope in scopes(memory(occurred_at=late))} == {"2029-12"}


def test_what_is_sealed_anew_has_a_bucket_of_its_own() -> None:
    assert {scope.bucket for scope in scopes(memory(MemoryRekeyed, bucket="2030-05.2"))} == {"2030-05.2"}


def test_no_personal_field_stands_in_the_open_part() -> None:
    body = encode(memory(), "acme", "record", NOW).body
    assert b"tea" not in body
    assert b"anna" not in body.replace(b"s_anna", b"")
