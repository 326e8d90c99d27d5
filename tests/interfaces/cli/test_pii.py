"""`aios pii detect --jsonl`: a filter that answers in order, stops at a bad line, and starts alone."""

from __future__ import annotations

import json
import subprocess
import sys


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
