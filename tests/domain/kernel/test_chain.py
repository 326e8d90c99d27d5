"""Leaf hashes: every column counts, and no two different rows can give the same bytes to hash."""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.audit.chain import GENESIS, extend, leaf_hash, microseconds

COLUMNS = st.fixed_dictionaries(
    {
        "position": st.integers(1, 2**63 - 1),
        "tenant": st.text(max_size=8),
        "stream_id": st.text(max_size=8),
        "version": st.integers(1, 2**63 - 1),
        "type_name": st.text(max_size=8),
        "schema_version": st.integers(1, 2**15),
        "recorded_at_us": st.integers(-(2**62), 2**62),
        "command_id": st.text(max_size=8),
        "correlation": st.text(max_size=8),
        "actor": st.text(max_size=8),
        "key_ids": st.lists(st.text(max_size=4), max_size=3),
        "data": st.binary(max_size=16),
    }
)


@given(COLUMNS, COLUMNS)
def test_different_rows_have_different_leaves(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (leaf_hash(**one) == leaf_hash(**other)) == (one == other)


def test_the_documented_formula_gives_the_leaf() -> None:
    def text(value: bytes) -> bytes:
        return struct.pack(">I", len(value)) + value

    at = datetime(2026, 11, 22, 12, 0, 0, 5, tzinfo=UTC)
    by_hand = b"".join(
        [
            b"\0" + struct.pack(">Q", 7) + text(b"t1") + text(b"t1/note/1"),
            struct.pack(">Q", 2) + text(b"test.noted"),
            struct.pack(">Hq", 1, microseconds(at)),
            text(b"c1") + text(b"r1") + text(b"key/1"),
            struct.pack(">I", 1) + text(b"k_1"),
            text(b'{"a":1}'),
        ]
    )
    leaf = leaf_hash(
        7, "t1", "t1/note/1", 2, "test.noted", 1, microseconds(at), "c1", "r1", "key/1", ["k_1"], b'{"a":1}'
    )
    assert leaf == hashlib.sha256(by_hand).digest()
    assert extend(GENESIS, leaf) == hashlib.sha256(b"\2" + bytes(32) + leaf).digest()
