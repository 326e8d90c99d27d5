"""Finds and ends the processes of one embedded server by a mark in their command line, never by pid alone."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.02
_HAS_PROC: bool = Path("/proc/self/cmdline").exists()


@dataclass(frozen=True)
class Process:
    """A living process: its id, its user and its command line."""

    pid: int
    uid: int
    command: str


def marked(mark: str, uid: int) -> list[Process]:
    """Living processes of user `uid` with `mark` in their command line (zombies have none)."""
    return [process for process in _all() if process.uid == uid and mark in process.command]


def is_marked(pid: int, mark: str, uid: int) -> bool:
    """Whether `pid` lives, belongs to `uid` and carries `mark`: a reused pid does not."""
    process = _look_up(pid)
    return process is not None and process.uid == uid and mark in process.command


def end(mark: str, uid: int, sign: signal.Signals, timeout: float) -> bool:
    """Signal every marked process until none is left; False when some outlive `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while left := marked(mark, uid):
        for process in left:
            send(process.pid, sign)
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def send(pid: int, sign: signal.Signals) -> None:
    """Signal one process; one that is already gone is fine."""
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return


def _all() -> Iterable[Process]:
    if not _HAS_PROC:
        return _from_ps()
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [process for pid in pids if (process := _from_proc(pid)) is not None]


def _look_up(pid: int) -> Process | None:
    if _HAS_PROC:
        return _from_proc(pid)
    return next((process for process in _from_ps() if process.pid == pid), None)


def _from_proc(pid: int) -> Process | None:
    folder = Path(f"/proc/{pid}")
    try:
        uid = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("Uid:"))
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (OSError, StopIteration):
        return None
    return Process(pid, int(uid.split()[2]), command)


def _from_ps() -> Iterable[Process]:
    listing = subprocess.run(
        ["/bin/ps", "-axo", "pid=,uid=,command="], capture_output=True, text=True, check=True
    )
    rows = (line.split(None, 2) for line in listing.stdout.splitlines())
    return [Process(int(row[0]), int(row[1]), row[2]) for row in rows if len(row) == 3]
