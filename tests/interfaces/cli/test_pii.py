"""`aios pii detect --jsonl`: a filter that answers in order, stops at a bad line, and starts alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def detect(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "interfaces.cli.entry", "pii", "detect", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)


def test_lines_are_answered_in_order_with_code_point_offsets() -> None:
    texts = {"a": "\U0001f9ea mail bob@example.com", "b": "nothing here"}
    lines = [json.dumps({"id": name, "text": text}) for name, text in texts.items()]
    done = detect("--jsonl", stdin="\n".join(lines).encode())
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert answers == [
        {"id": "a", "spans": [{"start": 7, "end": 22, "type": "EMAIL"}]},
        {"id": "b", "spans": []},
    ]


def test_a_bad_line_ends_it_with_its_number() -> None:
    done = detect("--jsonl", stdin=b'{"id": "a", "text": "x"}\nnonsense\n')
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"id": "a", "spans": []}
    assert b"line 2" in done.stderr


def test_the_format_must_be_named() -> None:
    done = detect()
    assert done.returncode == 2
    assert b"--jsonl" in done.stderr


def test_only_the_kinds_asked_for_are_looked_for() -> None:
    line = json.dumps({"id": 1, "text": "Dear Ann, bob@example.com, 415-555-2671"}).encode()
    done = detect("--jsonl", "--entities", "phone, PERSON", stdin=line)
    assert done.returncode == 0
    assert [span["type"] for span in json.loads(done.stdout)["spans"]] == ["PERSON", "PHONE"]


def test_a_kind_that_does_not_exist_is_refused_with_those_that_do() -> None:
    done = detect("--jsonl", "--entities", "EMAIL,SHOE_SIZE", stdin=b'{"id": 1, "text": ""}')
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"SHOE_SIZE" in done.stderr
    assert b"CREDIT_CARD" in done.stderr


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": 1}', b"text"),
        (b'{"text": "x"}', b"id"),
        (b'{"id": 1, "text": 7}', b"text"),
        (b"[1]", b"object"),
        (b'{"id": 1, "text": "\xff"}', b"line 1"),
        (b'{"id": 1, "text": "x"', b"line 1"),
    ],
)
def test_an_unusable_line_is_named_and_why(line: bytes, reason: bytes) -> None:
    done = detect("--jsonl", stdin=line + b"\n")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"line 1" in done.stderr
    assert reason in done.stderr
    assert b"Traceback" not in done.stderr
