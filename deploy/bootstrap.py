"""Sets the environment up from the lock files, then becomes the command it was given.

    python -m deploy.bootstrap FLAVOUR COMMAND [ARGUMENT ...]

FLAVOUR is `runtime`, or `dev`, which adds what tests and checks need.
Standard library only, since this runs before anything is installed. A stamp in `.venv` records what was
installed, so a run with nothing to do takes a fraction of a second. The command replaces this process, so
signals reach it directly and its exit status is ours.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.pip_settings import uv_environment

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
STAMP = VENV / "installed"
PROJECT = VENV / "project.txt"
TOOLS_LOCK = ROOT / "requirements-bootstrap.lock"
LOCKS = {"runtime": ROOT / "requirements.lock", "dev": ROOT / "requirements-dev.lock"}


def main(arguments: Sequence[str]) -> None:
    """Install what is missing and replace this process by the command; exit 1 with a message on failure."""
    if len(arguments) < 2 or arguments[0] not in LOCKS:
        sys.exit(__doc__)
    flavour, command = arguments[0], list(arguments[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if not is_installed(flavour):
        with only_one():
            if not is_installed(flavour):
                install(flavour)
    os.chdir(ROOT)
    sys.stdout.flush()
    os.execv(command[0], command)


def is_installed(flavour: str) -> bool:
    """Tell whether the stamp says so; a dev environment holds all that the runtime needs."""
    try:
        stamp = STAMP.read_text()
    except OSError:
        return False
    return PYTHON.exists() and stamp in {stamp_of(flavour), stamp_of("dev")}


def stamp_of(flavour: str) -> str:
    """Name what an up-to-date environment is made from: locks, metadata, the interpreter and the place."""
    digest = hashlib.sha256(str(ROOT).encode())
    for path in (TOOLS_LOCK, LOCKS[flavour], ROOT / "pyproject.toml", VENV / "pyvenv.cfg"):
        digest.update(path.read_bytes() if path.exists() else b"")
    return f"{flavour} {digest.hexdigest()}"


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Hold the set-up for this process; others wait. The folder itself is locked: no file is left."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is running, waiting for it")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def install(flavour: str) -> None:
    """Bring `.venv` to exactly what the lock says, and write the stamp last."""
    started = time.monotonic()
    if STAMP.exists() and STAMP.read_text().startswith("dev "):
        flavour = "dev"  # `make up` does not take the test tools away again
    STAMP.unlink(missing_ok=True)
    create_environment()
    environment = install_tools()
    say(f"installing the packages of {LOCKS[flavour].name} (some 300 MB the first time)")
    PROJECT.write_text(f"--editable {ROOT}\n")
    sync = (UV, "pip", "sync", "--python", PYTHON, "--no-build-isolation")
    run("installing the packages", [*sync, LOCKS[flavour], PROJECT], environment)
    temporary = STAMP.with_suffix(".new")
    temporary.write_text(stamp_of(flavour))
    temporary.replace(STAMP)
    say(f"environment ready after {time.monotonic() - started:.0f} s")


def create_environment() -> None:
    """Make `.venv`, unless the running Python lives in it and the folder was not moved or copied since."""
    moved = PROJECT.exists() and PROJECT.read_text() != f"--editable {ROOT}\n"
    if Path(sys.prefix).resolve() == VENV.resolve() and not moved:
        return
    say(f"creating the environment in .venv with Python {sys.version.split()[0]}")
    base = getattr(sys, "_base_executable", sys.executable)
    if VENV.exists():
        shutil.rmtree(VENV)
    run("creating the environment", [base, "-m", "venv", VENV], os.environ.copy())


def install_tools() -> dict[str, str]:
    """Install uv and the build backend by hash with pip; return the environment for uv to run in."""
    say("installing uv")
    environment = os.environ.copy()
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        run(
            "installing pip", [PYTHON, "-m", "ensurepip"], environment
        )  # uv made this one, or a kill broke it
    run("installing uv", [*pip, "install", "--quiet", "--require-hashes", "-r", TOOLS_LOCK], environment)
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False)
    return uv_environment(listed.stdout, environment)


def run(step: str, command: Sequence[object], environment: dict[str, str]) -> None:
    """Run one step; a failure ends the program with a line that says which step and what to look at."""
    process = subprocess.Popen([str(word) for word in command], env=environment, cwd=ROOT, process_group=0)
    try:
        status = process.wait()
    except BaseException:  # a signal for us is one for the step and all it started
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if status:
        sys.exit(
            f"\nSetting up failed while {step} (status {status}), see the lines above. Running it again "
            "resumes. If they speak of the network or an index: `pip config list` shows the one in use."
        )


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"==> {text}", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.argv[1:])
    sys.exit(128 + signal.SIGINT)
