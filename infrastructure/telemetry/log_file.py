"""A log file that many processes append to: one write per line, rotated by size by whoever notices first."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

CHECK_EVERY_S = 5.0
MAX_BYTES = 64 * 1024 * 1024
KEEP = 3


class LogFile:
    """Appends whole lines with O_APPEND, so lines of several processes never mix.

    A file that was moved away (by another process here, or by logrotate) is opened anew within
    CHECK_EVERY_S seconds. A full disk loses lines, never requests.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._checked_at = time.monotonic()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = self._open()

    def write(self, line: bytes) -> None:
        """Append one line, its line feed included."""
        now = time.monotonic()
        with contextlib.suppress(OSError):
            if now - self._checked_at > CHECK_EVERY_S:
                self._checked_at = now
                self.check()
            os.write(self._fd, line)

    def check(self) -> None:
        """Rotate the file when it is too large, and follow it when it was moved."""
        if os.fstat(self._fd).st_size > self._max_bytes:
            self._rotate()
        if not self._is_current():
            old, self._fd = self._fd, self._open()
            os.close(old)

    def close(self) -> None:
        """Close the file; later writes are lost."""
        os.close(self._fd)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _is_current(self) -> bool:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(self._fd)
        return (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino)

    def _rotate(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            if not self._is_current():
                return
            for number in range(KEEP - 1, 0, -1):
                older = self._numbered(number)
                if older.exists():
                    older.replace(self._numbered(number + 1))
            self._path.replace(self._numbered(1))
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
