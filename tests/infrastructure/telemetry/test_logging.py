"""Log lines: JSON for everybody, whole lines from many processes, and never a credential."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.telemetry.log_file import KEEP, LogFile
from infrastructure.telemetry.logging import configure
from infrastructure.telemetry.redaction import PLAIN, SECRET_TEXTS, redact, redact_text


@pytest.fixture
def log_path(tmp_path: Path) -> Iterator[Path]:
    """Configured logging; afterwards everything is as pytest had it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    path = tmp_path / "logs" / "app.log"
    configure("INFO", path)
    yield path
    logging.captureWarnings(capture=False)
    logging.basicConfig(handlers=handlers, level=level, force=True)
    structlog.reset_defaults()


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_our_lines_and_those_of_libraries_have_one_shape(log_path, capfd):
    structlog.get_logger().info("started", port=8000)
    logging.getLogger("some.library").warning("careful: %s", "x")

    ours, theirs = lines(log_path)
    assert (ours["event"], ours["level"], ours["port"]) == ("started", "info", 8000)
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("careful: x", "warning", "some.library")
    assert ours["time"].endswith("Z")
    assert capfd.readouterr().err.splitlines() == log_path.read_text().splitlines()


def test_an_answered_request_is_a_line_like_the_others(log_path, capfd):
    log = configure("INFO", log_path)
    log.report("GET", "/x/{id}", 404, 0.01234, tenant="acme", request_id="sk-abcdefghijkl")
    log.report("GET", "/health/live", 200, 0.001, tenant=None, request_id="req_1", quiet=True)

    (line,) = lines(log_path)
    assert line.pop("time").endswith("Z")
    assert line == {
        "method": "GET",
        "route": "/x/{id}",
        "status": 404,
        "ms": 12.3,
        "tenant": "acme",
        "event": "request",
        "request_id": "[redacted]",
        "level": "info",
    }
    assert capfd.readouterr().err == log_path.read_text()

    configure("DEBUG", log_path).report("GET", "/", 200, 0.1, tenant=None, request_id="a", quiet=True)
    assert lines(log_path)[-1]["level"] == "debug"


def test_the_file_is_private(log_path):
    assert log_path.stat().st_mode & 0o777 == 0o600


def test_bound_values_such_as_the_request_id_are_on_every_line(log_path):
    with structlog.contextvars.bound_contextvars(request_id="req_1"):
        structlog.get_logger().info("a")
        logging.getLogger("lib").warning("b")

    assert [line["request_id"] for line in lines(log_path)] == ["req_1", "req_1"]


def test_lines_below_the_level_are_left_out_and_unknown_levels_refused(log_path):
    structlog.get_logger().debug("quiet")
    logging.getLogger("lib").debug("quiet")
    logging.getLogger("uvicorn.access").info("GET /?key=x")

    assert log_path.read_text() == ""
    with pytest.raises(ValueError, match="unknown log level 'LOUD'"):
        configure("LOUD")


def fail_twice() -> None:
    try:
        int("inner")
    except ValueError as error:
        raise ValueError("first line\nDETAIL: Key (mail)=(ann@example.org) exists") from error


def test_an_exception_is_its_type_first_line_and_frames(log_path):
    try:
        fail_twice()
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("lib").exception("failed too")

    for line in lines(log_path):
        outer, inner = line["exception"]
        assert (outer["type"], outer["message"]) == ("builtins.ValueError", "first line")
        assert "inner" in inner["message"]
        assert "fail_twice" in outer["frames"][-1]
    assert "ann@example.org" not in log_path.read_text()


def test_a_value_json_does_not_know_never_breaks_a_line(log_path):
    structlog.get_logger().info("odd", value=object(), text="two\nlines \udcff")

    (line,) = lines(log_path)
    assert "<object object" in line["value"]
    assert "two" in line["text"]


@pytest.mark.parametrize(
    "secret",
    [
        "aios_abcdefgh2345_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst",
        "aios_admin_Zm9vYmFyYmF6cXV4LV9mb29iYXJiYXpxdXg",
        "sk-proj-abcdefghijklmnop",
        "sk_live_abcdefghijklmnop",
        "whsec_abcdefghijklmnop",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    ],
)
def test_keys_are_hidden_wherever_they_stand(log_path, secret):
    structlog.get_logger().info(f"got {secret}", header=f"Bearer {secret}", nested={"list": [secret]})
    logging.getLogger("lib").error("said %s", secret)

    assert secret not in log_path.read_text()
    assert "[redacted]" in lines(log_path)[0]["event"]


def test_secret_names_hide_whatever_they_hold_and_other_names_nothing():
    hidden = redact(
        {"api_key": "x", "Authorization": "y", "set-cookie": "z", "session_token": "t", "key": "k"}
    )

    assert hidden == {
        "api_key": "[redacted]",
        "Authorization": "[redacted]",
        "set-cookie": "[redacted]",
        "session_token": "[redacted]",
        "key": "k",
    }
    assert redact({"input_tokens": 3, "key_id": "abc"}) == {"input_tokens": 3, "key_id": "abc"}


def test_passwords_of_addresses_are_hidden_and_the_rest_is_kept():
    assert (
        redact_text("postgresql://aios:p4ss@db:5432/x failed")
        == "postgresql://aios:[redacted]@db:5432/x failed"
    )
    assert redact_text("host=db password=p4ss user=x") == "host=db password=[redacted] user=x"
    assert redact_text("aios_projection_lag_events is 3") == "aios_projection_lag_events is 3"


def test_many_processes_append_whole_lines(tmp_path):
    path = tmp_path / "app.log"
    script = dedent(
        """
        import sys
        from pathlib import Path
        from infrastructure.telemetry.log_file import LogFile
        file = LogFile(Path(sys.argv[1]))
        for number in range(500):
            file.write((sys.argv[2] * 200 + "\\n").encode())
        """
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(path), letter]) for letter in "abcd"]

    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]

    found = path.read_text().splitlines()
    assert len(found) == 2000
    assert set(found) == {letter * 200 for letter in "abcd"}


def test_a_large_file_is_rotated_once_and_a_few_are_kept(tmp_path):
    path = tmp_path / "app.log"
    one, other = LogFile(path, max_bytes=10), LogFile(path, max_bytes=10)
    for number in range(KEEP + 2):
        one.write(b"more than ten bytes %d\n" % number)
        one.check()
        other.check()

    one.write(b"new\n")
    other.write(b"also new\n")

    assert path.read_text() == "new\nalso new\n"
    assert sorted(found.name for found in tmp_path.iterdir()) == [
        "app.log",
        *(f"app.log.{number}" for number in range(1, KEEP + 1)),
    ]


def test_a_file_that_was_moved_or_removed_is_opened_anew(tmp_path):
    path = tmp_path / "app.log"
    file = LogFile(path)
    path.rename(tmp_path / "old.log")

    file.check()
    file.write(b"here\n")

    assert path.read_text() == "here\n"


@given(st.from_regex(PLAIN, fullmatch=True))
def test_what_is_passed_over_as_plain_holds_nothing_that_is_redacted(text: str) -> None:
    assert SECRET_TEXTS.search(text) is None
