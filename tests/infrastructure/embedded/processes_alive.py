"""Questions about real processes that the tests of embedded services ask."""

import time
from collections.abc import Callable
from pathlib import Path


def marked_processes(mark: str) -> list[int]:
    """Ids of living processes (zombies excluded) whose command line holds `mark`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if mark in command:
                found.append(int(entry.name))
    return found


def eventually(what: Callable[[], object], seconds: float = 20) -> bool:
    """Whether `what()` becomes true; the limit only keeps a failing test from hanging."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.02)
    return bool(what())
