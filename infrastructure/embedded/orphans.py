"""Makes this process the parent of its descendants' orphans: none outlives it, none stays a zombie."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.05


def adopt_orphans() -> None:
    """From now on orphaned descendants become children of this process (Linux only)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap(known: Collection[int]) -> None:
    """Collect dead children that nobody waits for; `known` are the pids that somebody does wait for."""
    for pid, state in _children():
        if state == "Z" and pid not in known:
            _collect(pid)


def end_children(timeout: float) -> None:
    """Wait for the remaining children to end; signal them after half of `timeout`, then kill them."""
    began = time.monotonic()
    while left := list(_children()):
        waited = time.monotonic() - began
        for pid, _ in left:
            if not _collect(pid) and waited > timeout / 2:
                _signal(pid, signal.SIGKILL if waited > timeout else signal.SIGTERM)
        if waited > timeout + 5.0:
            return
        time.sleep(_POLL_SECONDS)


def end_group(group: int, timeout: float) -> None:
    """End what is left of a process group whose leader has died; by force after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    sign = signal.SIGTERM
    while _signal_group(group, sign):
        while _collect(-group):
            pass
        if time.monotonic() >= deadline:
            sign = signal.SIGKILL
        time.sleep(_POLL_SECONDS)


def _children() -> Iterator[tuple[int, str]]:
    me = os.getpid()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = entry.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(after_name[1]) == me:
            yield int(entry.parent.name), after_name[0]


def _collect(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _signal(pid: int, sign: signal.Signals) -> None:
    try:
        os.kill(pid, sign)
    except (ProcessLookupError, PermissionError):
        return


def _signal_group(group: int, sign: signal.Signals) -> bool:
    try:
        os.killpg(group, sign)
    except (ProcessLookupError, PermissionError):
        return False
    return True
