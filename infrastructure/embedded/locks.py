"""Whole-file locks (flock) that the kernel gives back when their last holder dies, however it dies."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from infrastructure.embedded.errors import ServiceStillStarting

_POLL_SECONDS = 0.05


class FileLock:
    """One open lock file; the lock belongs to the open file, so children that inherit `fd` keep it alive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def try_take(self, *, shared: bool = False) -> bool:
        """Take the lock if that needs no waiting; False when somebody holds it."""
        try:
            fcntl.flock(self.fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                return False
            raise
        return True

    def take(self, timeout: float, *, shared: bool = False) -> None:
        """Take the lock within `timeout` seconds; raises ServiceStillStarting when others hold it longer."""
        began = time.monotonic()
        while not self.try_take(shared=shared):
            waited = time.monotonic() - began
            if waited >= timeout:
                message = (
                    f"{self.path} has been locked by another process for {waited:.0f} s; wait, or stop it"
                )
                raise ServiceStillStarting(message, waited)
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Close this process's copy; the lock lives on in children that inherited it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def exclusive(path: Path, timeout: float) -> Iterator[FileLock]:
    """Hold the lock file `path` alone for the block; waits at most `timeout` seconds for it."""
    with FileLock(path) as lock:
        lock.take(timeout)
        yield lock
