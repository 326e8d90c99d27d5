"""Events are cut out of bytes that arrive split anywhere, and no byte changes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.orchestration.dialects.model import MalformedAnswer
from application.orchestration.dialects.sse import Frame, FrameTooLarge, SseReader, decode_event


def read(*chunks: bytes) -> list[bytes]:
    reader = SseReader()
    raws = [frame.raw for chunk in chunks for frame in reader.feed(chunk)]
    rest = reader.finish()
    return raws if rest is None else [*raws, rest.raw]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\n"])
def test_every_line_end_separates(end: bytes) -> None:
    first, second = b"data: a" + end, b"event: x" + end[: len(end) // 2] + b"data: b" + end

    assert read(first + second)[0] == first
    assert b"".join(read(first + second)) == first + second


def test_an_event_is_given_as_soon_as_it_ends() -> None:
    reader = SseReader()

    assert reader.feed(b"data: a\n") == []
    assert reader.feed(b"\ndata: b") == [Frame(b"data: a\n\n")]
    assert reader.finish() == Frame(b"data: b")


def test_a_carriage_return_at_the_end_waits_for_its_line_feed() -> None:
    reader = SseReader()

    assert reader.feed(b"data: a\r\n\r") == []
    assert reader.feed(b"\n") == [Frame(b"data: a\r\n\r\n")]
    assert reader.finish() is None


@pytest.mark.parametrize(
    ("raw", "event", "data"),
    [
        (b"data: x\n\n", "", b"x"),
        (b"data:x\n\n", "", b"x"),
        (b"data: x\r\n\r\n", "", b"x"),
        (b"event: ping\ndata: {}\n\n", "ping", b"{}"),
        (b"data: {}\nevent: late\n\n", "late", b"{}"),
        (b"data: a\ndata: b\n\n", "", b"a\nb"),
        (b"\xef\xbb\xbfdata: x\n\n", "", b"x"),
        (b": keep-alive\n\n", "", b""),
        (b"id: 1\nretry: 5\n\n", "", b""),
        (b'data: {"event": "x"}\n\n', "", b'{"event": "x"}'),
        (b"data\n\n", "", b""),
    ],
)
def test_fields_of_an_event(raw: bytes, event: str, data: bytes) -> None:
    frame = Frame(raw)

    assert (frame.event, frame.data) == (event, data)
    assert frame.is_comment == (not event and not data)


def test_a_frame_beyond_the_limit_is_refused_whole_or_unfinished() -> None:
    with pytest.raises(FrameTooLarge):
        SseReader(10).feed(b"data: 0123456789")
    with pytest.raises(FrameTooLarge):
        SseReader(10).feed(b"data: 0123456789\n\n")


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b"1"])
def test_data_that_is_no_object_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        decode_event(data)


PIECE = st.sampled_from(
    [b"\n", b"\r", b"\r\n", b"\n\n", b"data: x", b"event: e", b":", b"y", b"\xe2\x82\xac"]
)


@given(pieces=st.lists(PIECE, max_size=20), cuts=st.lists(st.integers(0, 60), max_size=8))
def test_any_split_gives_the_same_frames(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pieces)
    marks = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = [stream[start:end] for start, end in pairwise(marks)]

    assert read(*chunks) == read(stream)
    assert stream.startswith(b"".join(read(stream)))
