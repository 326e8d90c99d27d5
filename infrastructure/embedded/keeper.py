"""Stands between the product and one server process: ends the server when nobody uses it any more.

Run as a script with the standard library alone (`python -I -S keeper.py MARK`), its orders as one JSON object
on standard input. Whoever uses the server holds a shared lock on the users file; the kernel drops it when the
user dies, even by SIGKILL. Once the keeper gets that lock alone, it stops the server and ends. If the keeper
itself is killed, the kernel sends the server its stop signal (Linux).
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Start the server, report its pid on standard output, and keep it until it ends or is no longer used."""
    orders: dict[str, Any] = json.load(sys.stdin)
    wake = _wake_on_signals()
    users = os.open(orders["users_lock"], os.O_RDWR | os.O_CLOEXEC)
    try:
        server = _start(orders)
    except OSError as error:
        return _answer({"error": f"{error.filename or orders['executable']}: {error.strerror}"}, 1)
    record = {**orders["facts"], "pid": server.pid, "keeper": os.getpid()}
    _write_record(Path(orders["record"]), record)
    _answer(record, 0)
    if _wait_until_unused(server, users, wake):
        _stop(server, orders["stop_signals"], wake)
    _remove_if_empty(orders["borrowed_directory"])
    return 0


def _answer(message: dict[str, Any], code: int) -> int:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return code


def _remove_if_empty(directory: str | None) -> None:
    if directory is not None:
        with contextlib.suppress(OSError):
            Path(directory).rmdir()


def _wake_on_signals() -> int:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(sign, lambda _number, _frame: None)
    return reader


def _start(orders: dict[str, Any]) -> "subprocess.Popen[str]":
    switch = orders["switch_user"]
    server = subprocess.Popen(
        orders["argv"],
        executable=orders["executable"],
        cwd=orders["directory"],
        env=orders["env"],
        stdin=subprocess.PIPE,
        stdout=sys.stderr,
        pass_fds=orders["pass_fds"],
        user=orders["uid"] if switch else None,
        group=orders["gid"] if switch else None,
        extra_groups=[] if switch else None,
        umask=0o077,
        start_new_session=True,
        preexec_fn=_die_with_parent(orders["stop_signals"][0][0]),  # noqa: PLW1509 - this process has one thread
        text=True,
    )
    assert server.stdin is not None  # noqa: S101 - stdin=PIPE above
    try:
        server.stdin.write(orders["input"])
        server.stdin.close()
    except BrokenPipeError:
        server.stdin = None
    return server


def _die_with_parent(sign: int) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    keeper, libc = os.getpid(), ctypes.CDLL(None)

    def ask_the_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, sign, 0, 0, 0)
        if os.getppid() != keeper:
            os._exit(1)

    return ask_the_kernel


def _write_record(path: Path, record: dict[str, Any]) -> None:
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(record, file)
    draft.replace(path)


def _wait_until_unused(server: "subprocess.Popen[str]", users: int, wake: int) -> bool:
    """True when the server should stop: asked by a signal, or twice in a row without a user."""
    unused = 0
    while server.poll() is None:
        if _asked_to_stop(wake, _POLL_SECONDS):
            return True
        unused = unused + 1 if _take(users) else 0
        if unused == 2:
            return True
        if unused:
            fcntl.flock(users, fcntl.LOCK_UN)
    return False


def _take(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _asked_to_stop(wake: int, seconds: float) -> bool:
    if not select.select([wake], [], [], seconds)[0]:
        return False
    return any(number != signal.SIGCHLD for number in os.read(wake, 4096))


def _stop(server: "subprocess.Popen[str]", stop_signals: list[tuple[int, float]], wake: int) -> None:
    for sign, patience in stop_signals:
        server.send_signal(sign)
        deadline = time.monotonic() + patience
        while (left := deadline - time.monotonic()) > 0 and server.poll() is None:
            _asked_to_stop(wake, min(left, _POLL_SECONDS))
        if server.poll() is not None:
            return


if __name__ == "__main__":
    sys.exit(main())
