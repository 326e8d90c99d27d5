"""Request bodies are decoded strictly, and every refusal says where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.orchestration.dialects.json_body import MAX_DEPTH, decode_object
from domain.kernel.errors import InvalidInput


@pytest.mark.parametrize(
    ("raw", "pointer", "words"),
    [
        (b"", "", "line 1 column 1"),
        (b'{"a": 1,}', "", "line 1 column 9"),
        (b'{"a": 1} x', "", "Extra data"),
        (b'{"a": "\x01"}', "", "control character"),
        (b"\xef\xbb\xbf{}", "", "byte order mark"),
        (b'{"a": "\xff"}', "", "byte 7 is 0xff"),
        (b'{"a": "\xed\xa0\x80"}', "", "not UTF-8"),
        (b"[1]", "", "must be a JSON object, not an array"),
        (b'"text"', "", "not a string"),
        (b"null", "", "not null"),
        (b"true", "", "not a boolean"),
        (b'{"a": [1, NaN]}', "/a/1", "NaN"),
        (b'{"a": -Infinity}', "/a", "Infinity"),
        (b'{"a": 1e999}', "/a", "1.7e308"),
        (b'{"a": {"b/c~d": 1, "b/c~d": 2}}', "/a/b~1c~0d", "twice"),
        (b'{"a": 1, "a": 1}', "/a", "twice"),
        (b'{"m": [{"c": "x\\ud800y"}]}', "/m/0/c", "lone surrogate"),
        (b'{"\\udc00": 1}', "/\\udc00", "lone surrogate"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "", "too many digits"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "/a" * MAX_DEPTH, "deeper than 64"),
        (b"[" * 200_000, "", "deeper than 64"),
    ],
)
def test_unusable_json_is_refused_at_its_place(raw: bytes, pointer: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        decode_object(raw)

    assert [error.pointer for error in refusal.value.errors] == [pointer]
    assert words in refusal.value.message


def test_depth_up_to_the_limit_and_paired_surrogates_are_accepted() -> None:
    raw = b'{"a":' * MAX_DEPTH + b'"\\ud83d\\ude00"' + b"}" * MAX_DEPTH

    assert "😀" in str(decode_object(raw))


def test_a_refusal_can_always_be_written_as_utf8() -> None:
    with pytest.raises(InvalidInput) as refusal:
        decode_object(b'{"\\ud800": {"\\ud800": "\\ud800"}}')

    assert refusal.value.message.encode()


@given(st.binary())
def test_any_bytes_decode_or_are_refused(raw: bytes) -> None:
    outcome: object
    try:
        outcome = decode_object(raw)
    except InvalidInput as refusal:
        outcome = refusal.errors

    assert isinstance(outcome, dict) or outcome
