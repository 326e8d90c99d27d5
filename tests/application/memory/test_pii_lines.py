"""The detector as a filter of JSON lines, and the command around it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from application.memory.pii_lines import detect_jsonl
from application.memory.pii_phone_plans import LibraryPhonePlans
from domain.kernel.errors import InvalidInput
from domain.memory.pii.detector import Detector
from interfaces.cli.pii import pii

DETECTOR = Detector(LibraryPhonePlans())


def test_lines_are_answered_in_order_with_their_ids():
    lines = [
        b'{"id": "a", "text": "to ann@example.org", "more": 1}\n',
        b"\n",
        b'{"id": 7, "text": "nothing"}',
    ]

    answers = [json.loads(line) for line in detect_jsonl(DETECTOR, lines)]

    assert answers == [
        {"id": "a", "spans": [{"start": 3, "end": 18, "type": "EMAIL"}]},
        {"id": 7, "spans": []},
    ]


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"[]",
        b'{"id": 1}',
        b'{"id": 1, "text": 5}',
        b'{"id": null, "text": ""}',
        b'{"id": 1, "text": "\xff"}',
    ],
)
def test_a_bad_line_is_named_after_the_lines_before_it_are_answered(bad):
    answers = detect_jsonl(DETECTOR, [b'{"id": 1, "text": "x"}', bad])

    assert json.loads(next(answers)) == {"id": 1, "spans": []}
    with pytest.raises(InvalidInput, match=r"^line 2: "):
        next(answers)


def test_the_command_filters_standard_input():
    result = CliRunner().invoke(pii, ["detect", "--jsonl"], input='{"id": 1, "text": "tel. 020 7946 0958"}\n')

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"id": 1, "spans": [{"start": 5, "end": 18, "type": "PHONE"}]}


def test_plans_know_lengths_ranges_and_trunk_zeros():
    plans = LibraryPhonePlans()

    assert plans.is_international("15551234567")
    assert not plans.is_international("999123")
    assert plans.is_assigned("14155552671")
    assert not plans.is_assigned("15551234567")
    assert plans.is_national("02079460958")
    assert not plans.is_national("2079460958")
