"""Bodies: strict about types, exact about places, bounded in depth."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.exceptions import ClientException

from domain.kernel.errors import InvalidInput
from interfaces.http.bodies import MAX_DEPTH, decode_body, nesting

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class Free(msgspec.Struct, forbid_unknown_fields=True):
    """A body with a part of any shape."""

    metadata: Any
    count: int = 0


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def nested(levels: int) -> bytes:
    return b'{"metadata":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def test_a_part_of_any_shape_is_bounded_in_depth():
    assert decode_body(nested(MAX_DEPTH), Free).count == 0
    with pytest.raises(ClientException, match="nested more than 100 levels"):
        decode_body(nested(MAX_DEPTH + 1), Free)
    with pytest.raises(ClientException, match="nested more than 100 levels"):
        decode_body(nested(5000), Free)


def test_brackets_in_texts_and_beside_each_other_are_no_depth():
    texts = msgspec.json.encode({"metadata": ['[{"\\' * 500]})
    wide = b'{"metadata":[' + b",".join([b"[{}]"] * 500) + b"]}"

    assert decode_body(texts, Free).metadata == ['[{"\\' * 500]
    assert nesting(wide) == 4


@given(JSON)
def test_depth_is_counted_as_a_parser_would(value):
    padded = {"pad": [[]] * (MAX_DEPTH + 1), "value": value}

    assert nesting(msgspec.json.encode(padded)) == depth(padded)


def refusal(raw: bytes) -> InvalidInput | ClientException | None:
    """Return how a body is refused, None when it is taken; anything else that is raised is a fault."""
    try:
        decode_body(raw, Free)
    except (InvalidInput, ClientException) as refused:
        return refused
    return None


@given(JSON)
def test_whatever_is_json_is_taken_or_refused_by_its_place(value):
    refused = refusal(msgspec.json.encode(value))

    fits = isinstance(value, dict) and "metadata" in value
    assert isinstance(refused, InvalidInput) or (fits and refused is None)
    for error in getattr(refused, "errors", ()):
        assert error.pointer[:1] in {"", "/"}


@given(st.binary(max_size=40))
def test_bytes_that_are_no_object_are_refused(raw):
    assert raw.lstrip().startswith(b"{") or refusal(raw) is not None


@pytest.mark.parametrize("value", ["5", 5.5, True, None, [5], {"n": 5}])
def test_json_types_are_not_converted(value):
    with pytest.raises(InvalidInput) as refused:
        decode_body(msgspec.json.encode({"metadata": 1, "count": value}), Free)

    assert refused.value.errors[0].pointer == "/count"


def test_names_with_slashes_and_tildes_are_escaped_in_pointers():
    with pytest.raises(InvalidInput) as refused:
        decode_body(b'{"metadata":1,"a/b~c":2}', Free)

    assert refused.value.errors[0].pointer == "/a~1b~0c"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"metadata": "a\0b"}, "/metadata"),
        ({"metadata": {"list": ["x", "\0"]}}, "/metadata/list/1"),
        ({"metadata": {"a\0": 1}}, "/metadata/a\ufffd"),
    ],
)
def test_the_character_no_store_takes_is_refused_where_it_stands(body, pointer):
    with pytest.raises(InvalidInput) as refused:
        decode_body(msgspec.json.encode(body), Free)

    assert refused.value.errors[0].pointer == pointer


def test_an_escaped_escape_is_not_that_character():
    assert decode_body(b'{"metadata":"\\\\u0000"}', Free).metadata == "\\u0000"
