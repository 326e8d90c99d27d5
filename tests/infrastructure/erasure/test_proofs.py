"""Signatures over certificates, and the ledger of purges outside the databases."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from application.processes.erasure.ports import LedgerEntry
from domain.memory.selection import Selection
from infrastructure.erasure.ledger import PurgeLedger
from infrastructure.erasure.signing import Signer, check
from tests.event_store import EventStore, append_request

SIGNED = Signer(b"s" * 32).sign({"purge_id": "p1", "tenant": "t", "stores": {"b": 1, "a": [None, True]}})


def test_a_signed_document_verifies_in_any_order_of_its_members():
    turned = dict(reversed(list(SIGNED.items())))
    assert check(msgspec.json.encode(SIGNED)).ok
    assert check(msgspec.json.format(msgspec.json.encode(turned), indent=3)).ok
    assert check(msgspec.json.encode(SIGNED), SIGNED["public_key"]).ok


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in SIGNED.items() if key != name}


@pytest.mark.parametrize(
    "document",
    [
        {**SIGNED, "tenant": "u"},
        {**SIGNED, "more": 1},
        without("tenant"),
        without("signature"),
        without("public_key"),
        {**SIGNED, "signature": "AAAA"},
        {**SIGNED, "signature": 5},
        {**SIGNED, "public_key": Signer(b"t" * 32).public_key},
        [SIGNED],
        "text",
    ],
    ids=str,
)
def test_anything_that_was_changed_is_refused(document: Any):
    assert check(msgspec.json.encode(document)).problem


def test_a_document_signed_by_another_key_than_the_trusted_one_is_refused():
    assert check(msgspec.json.encode(SIGNED), Signer(b"t" * 32).public_key).problem
    assert check(b"\xff\x00").problem


def entry(position: int, chain: str, purge_id: str = "p1") -> LedgerEntry:
    return LedgerEntry(
        purge_id=purge_id,
        tenant="t1",
        selection=Selection(subject="s_x"),
        reason="r",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        position=position,
        chain=chain,
    )


def test_the_ledger_keeps_each_entry_once_and_passes_over_a_torn_line(tmp_path: Path):
    ledger = PurgeLedger(tmp_path / "audit" / "purges.jsonl")
    ledger.enter(entry(1, "aa"))
    ledger.enter(entry(1, "aa"))
    file = tmp_path / "audit" / "purges.jsonl"
    file.write_bytes(file.read_bytes() + b'{"purge_id": "to')
    ledger.enter(entry(2, "bb", "p2"))
    assert [each.purge_id for each in ledger.entries()] == ["p1", "p2"]
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_log_that_was_restored_from_before_a_purge_does_not_know_it(
    store: EventStore, tmp_path: Path
):
    for number in range(3):
        await store.log.append(append_request(number))
    ledger = PurgeLedger(tmp_path / "purges.jsonl")
    with psycopg.connect(store.endpoint.system_dsn) as conn:
        rows = conn.execute("SELECT position, encode(chain_hash, 'hex') FROM events ORDER BY 1").fetchall()
    ledger.enter(entry(rows[1][0], rows[1][1], purge_id="known"))
    ledger.enter(entry(rows[2][0], "00" * 32, purge_id="other-history"))
    ledger.enter(entry(99, "11" * 32, purge_id="later"))
    async with store.reader.connection() as conn:
        unknown = await ledger.unknown(conn)
    assert [each.purge_id for each in unknown] == ["other-history", "later"]
