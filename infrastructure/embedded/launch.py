"""Starts a server under its keeper and hears from the keeper whether that worked."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from infrastructure.embedded import keeper
from infrastructure.embedded.accounts import Account
from infrastructure.embedded.errors import ServiceStartError

_LONGEST_LOG = 10_000_000


@dataclass(frozen=True)
class Launch:
    """How to start a server.

    `stop_signals` are (signal, seconds of patience) in the order in which they are tried. `facts` are kept in
    the record for processes that find the server running. `executable_fd` is handed down to the server and
    closed here. `borrowed_directory` (a socket's) is removed when the server has left it empty.
    """

    argv: list[str]
    executable: str
    directory: Path
    account: Account
    stop_signals: list[tuple[int, float]]
    facts: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    input: str = ""
    executable_fd: int | None = None
    borrowed_directory: Path | None = None


def start_keeper(
    launch: Launch, own_directory: Path, mark: str, log: Path, life_fd: int
) -> "subprocess.Popen[str]":
    """Start and return the keeper, which starts the server; raises ServiceStartError when either fails."""
    fds = [fd for fd in (life_fd, launch.executable_fd) if fd is not None]
    try:
        process = _spawn(mark, log, fds)
    finally:
        if launch.executable_fd is not None:
            os.close(launch.executable_fd)
    assert process.stdin is not None  # noqa: S101 - a pipe, as asked for below
    assert process.stdout is not None  # noqa: S101 - as above
    with process.stdout, process.stdin as orders:
        json.dump(_orders(launch, own_directory, fds), orders)
        orders.close()
        answer = process.stdout.readline()
    report = json.loads(answer) if answer else {"error": f"its keeper ended; see {log}"}
    if "error" in report:
        process.wait()
        raise ServiceStartError(f"cannot start {mark}: {report['error']}")
    return process


def _spawn(mark: str, log: Path, fds: list[int]) -> "subprocess.Popen[str]":
    with _appending(log) as output:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__, mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd="/",
            pass_fds=fds,
            start_new_session=True,
            text=True,
        )


def _orders(launch: Launch, own_directory: Path, fds: list[int]) -> dict[str, Any]:
    return {
        "argv": launch.argv,
        "executable": launch.executable,
        "directory": str(launch.directory),
        "env": launch.env,
        "input": launch.input,
        "pass_fds": fds,
        "switch_user": launch.account.switches,
        "uid": launch.account.uid,
        "gid": launch.account.gid,
        "facts": launch.facts,
        "borrowed_directory": str(launch.borrowed_directory) if launch.borrowed_directory else None,
        "stop_signals": launch.stop_signals,
        "record": str(own_directory / "server.json"),
        "users_lock": str(own_directory / "users.lock"),
    }


@contextmanager
def _appending(log: Path) -> Iterator[IO[bytes]]:
    if log.exists() and log.stat().st_size > _LONGEST_LOG:
        log.replace(log.with_name(log.name + ".1"))
    with log.open("ab") as output:
        log.chmod(0o600)
        yield output


def log_tail(log: Path, lines: int = 8) -> str:
    """The last lines of a server's log, for an error message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"
