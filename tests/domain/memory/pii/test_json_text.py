"""Texts that are JSON stay JSON while they are scrubbed and restored piece by piece."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.kernel.pii import ScrubMode
from domain.memory.pii.json_text import JsonTextReplacements
from domain.memory.pii.restoring import RestoringStream
from domain.memory.pii.stream import StreamScrubber
from tests.domain.memory.pii.given import DETECTOR, keyed, mixed_texts, scrubber

TOKEN = "[EMAIL:" + "abcdefghij" * 2 + "]"
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from((4111111111111111, -2015550123))
    | mixed_texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


def in_pieces(stream: StreamScrubber | RestoringStream, text: str, size: int) -> str:
    """Feed a text in pieces of a size."""
    pieces = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join((*pieces, stream.flush()))


@given(values, st.integers(1, 40), st.booleans())
@settings(max_examples=150, deadline=None)
def test_scrubbed_json_decodes(value, size, plain):
    text = json.dumps({"phone": value}, ensure_ascii=plain)
    writer = JsonTextReplacements(scrubber(ScrubMode.PLACEHOLDER).replacements())

    json.loads(in_pieces(StreamScrubber(DETECTOR, writer), text, size))


def test_bare_numbers_become_strings():
    writer = JsonTextReplacements(scrubber(ScrubMode.PLACEHOLDER).replacements())

    clean = in_pieces(StreamScrubber(DETECTOR, writer), '{"phone": -2015550123, "n": [4111111111111111]}', 3)

    assert json.loads(clean) == {"phone": "[PHONE]", "n": ["[CREDIT_CARD]"]}


@given(st.integers(1, 60))
def test_originals_come_back_however_a_stream_is_cut(size):
    text = f'{{"to": "{TOKEN}", "cc": "[EMAIL] [NOT:{TOKEN}"}}'

    restored = in_pieces(RestoringStream({TOKEN: 'a"b\\@x.org'}, json_text=True), text, size)

    assert json.loads(restored) == {"to": 'a"b\\@x.org', "cc": '[EMAIL] [NOT:a"b\\@x.org'}


def test_pseudonyms_survive_the_way_there_and_back():
    whole = scrubber(ScrubMode.PSEUDONYM)
    clean = whole.scrub("ask ann@example.org")

    assert in_pieces(RestoringStream(clean.pseudonyms), clean.text, 4) == "ask ann@example.org"
    assert keyed(b"x") == keyed(b"x")
