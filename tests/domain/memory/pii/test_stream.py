"""A stream scrubbed piece by piece equals the scrubbed whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.kernel.pii import PiiType, ScrubMode
from domain.memory.pii.detector import Detector
from domain.memory.pii.scrubbing import Scrubber
from domain.memory.pii.spans import PiiDetectionFailed
from domain.memory.pii.stream import LONGEST_HOLD, StreamScrubber
from tests.domain.memory.pii.given import dense_texts, mixed_texts, scrubber
from tests.domain.memory.pii.test_detector import BrokenPlans

chunk_sizes = st.lists(st.sampled_from((1, 2, 3, 7, 20, 100, 3000)), min_size=1, max_size=20)


def scrub_in_pieces(text: str, sizes: list[int]) -> str:
    """Scrub a text in chunks of these sizes, taken in turn."""
    stream = StreamScrubber(scrubber())
    out = []
    at = turn = 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        out.append(stream.feed(text[at : at + size]))
        at, turn = at + size, turn + 1
    return "".join((*out, stream.flush()))


@given(mixed_texts | dense_texts | st.text(), chunk_sizes)
@settings(max_examples=200, deadline=None)
def test_any_chunking_gives_what_the_whole_gives(text, sizes):
    assert scrub_in_pieces(text, sizes) == scrubber().scrub(text).text


@given(st.lists(dense_texts, min_size=12, max_size=30).map("".join), chunk_sizes)
@settings(max_examples=25, deadline=None)
def test_long_dense_texts_are_cut_alike(text, sizes):
    assert scrub_in_pieces(text, sizes) == scrubber().scrub(text).text


def test_a_number_that_comes_digit_by_digit_is_held_back_until_it_is_told():
    stream = StreamScrubber(scrubber())

    early = "".join(stream.feed(character) for character in "My card is 4111 1111 1111 11")
    late = stream.feed("11, thank you very much for your kind help indeed") + stream.flush()

    assert "4111" not in early
    assert early + late == "My card is [CREDIT_CARD], thank you very much for your kind help indeed"


def test_prose_flows_with_the_last_words_held_back():
    stream = StreamScrubber(scrubber())

    given_out = stream.feed("There is nothing personal in these many words about the weather")

    assert given_out == "There is nothing personal in these many words about the"


def test_the_hold_back_is_bounded():
    stream = StreamScrubber(scrubber())
    given_out = 0

    for fed in range(1, 3 * LONGEST_HOLD):
        given_out += len(stream.feed("7"))
        assert fed - given_out <= LONGEST_HOLD


def test_the_account_covers_the_whole_stream():
    stream = StreamScrubber(scrubber(ScrubMode.PSEUDONYM))
    text = "ann@example.org wrote to bob@example.org, then to ann@example.org again"

    out = "".join(stream.feed(text[at : at + 5]) for at in range(0, len(text), 5)) + stream.flush()

    account = stream.account()
    assert account.counts == {PiiType.EMAIL: 3}
    assert sorted(account.pseudonyms.values()) == ["ann@example.org", "bob@example.org"]
    assert all(token in out for token in account.pseudonyms)


def test_after_a_failure_the_stream_gives_out_nothing_more():
    stream = StreamScrubber(Scrubber(Detector(BrokenPlans()), ScrubMode.REDACT))

    with pytest.raises(PiiDetectionFailed):
        stream.feed("ring +49 30 901820 tomorrow morning, or write a letter to the office in town")

    with pytest.raises(PiiDetectionFailed):
        stream.feed("harmless")
    with pytest.raises(PiiDetectionFailed):
        stream.flush()
