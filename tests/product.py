"""The whole product for tests: `aios up` as a child process, on a free port and its own data directory."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
CLI = [sys.executable, "-m", "interfaces.cli.main"]
START_S, STOP_S = 180.0, 60.0
CHILDREN = {
    "project": "projector",
    "serve": "api",
    "outbox": "outbox",
    "worker": "worker",
    "scheduler": "scheduler",
}
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONDONTWRITEBYTECODE")


@dataclass
class Product:
    """A running `aios up`; `env` is its environment, and that of commands beside it."""

    data_dir: Path
    env: dict[str, str]
    base_url: str = ""
    api_key: str = ""
    process: subprocess.Popen[bytes] | None = None
    started_s: float = field(default=0.0)

    @property
    def log(self) -> Path:
        """What it printed, with its log lines."""
        return self.data_dir.with_suffix(".out")

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def pids(self) -> dict[str, list[int]]:
        """The living processes by name: `api`, `worker`, ... and `postgres`, `valkey`."""
        found: dict[str, list[int]] = {}
        for pid in living(self.data_dir):
            words = _command(pid)
            if "interfaces.cli.main" in words[:4]:
                name = CHILDREN.get(words[words.index("interfaces.cli.main") + 1], "up")
                found.setdefault(name, []).append(pid)
        for name in ("postgres", "valkey"):
            with suppress(OSError, ValueError):
                pid = json.loads((self.data_dir / name / "server.json").read_text())["pid"]
                if Path(f"/proc/{pid}").exists():
                    found[name] = [pid]
        return found

    def start(self) -> Product:
        """Start it and return when it says that it is ready."""
        began = time.monotonic()
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [*CLI, "up"], env=self.env, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
            )
        wait_until(lambda: "\nAPI key: " in "\n" + self.output or self._ended(), START_S, lambda: self.output)
        assert not self._ended(), self.output
        self.started_s = time.monotonic() - began
        self.base_url = self._said("Admin console").removesuffix("/admin")
        shown = self._said("API key")
        self.api_key = self.env["AIOS_ADMIN_KEY"] if "AIOS_ADMIN_KEY" in shown else shown
        return self

    def stop(self, sign: int = signal.SIGTERM) -> int:
        """Stop it, and assert that no process is left; returns its exit status."""
        assert self.process is not None
        self.process.send_signal(sign)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end after it was told to stop, and assert that no process is left."""
        assert self.process is not None
        try:
            status = self.process.wait(STOP_S)
        finally:
            left = living(self.data_dir)
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert left == [], self.output
        return status

    def client(self, key: str | None = None, **options: Any) -> httpx.Client:
        """A client that presents the admin key, or another one."""
        headers = {"authorization": f"Bearer {key or self.api_key}"}
        return httpx.Client(base_url=self.base_url, headers=headers, timeout=60, **options)

    def cli(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line beside the product."""
        return run_cli(*arguments, env={**self.env, **env})

    def healthy(self) -> bool:
        """Whether it says that it is ready to serve."""
        with suppress(httpx.HTTPError):
            return httpx.get(self.base_url + "/health/ready", timeout=10).status_code == 200
        return False

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _said(self, what: str) -> str:
        found = re.search(rf"^{what}: (.+)$", self.output, re.MULTILINE)
        assert found, self.output
        return found[1].strip()


def product_in(data_dir: Path, **env: str) -> Product:
    """Return a product that is not started yet."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    ours = {"AIOS_DATA_DIR": str(data_dir), "AIOS_PORT": "0", "AIOS_LOG_LEVEL": "WARNING"}
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    return Product(data_dir, {**kept, **ours, **env})


@contextmanager
def running_product(data_dir: Path, **env: str) -> Iterator[Product]:
    """Run the product for the block; afterwards no process of it is left."""
    made = product_in(data_dir, **env)
    try:
        yield made.start()
    finally:
        if made.process is not None and made.process.poll() is None:
            made.stop()


def run_cli(
    *arguments: str, env: Mapping[str, str], timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line to its end."""
    return subprocess.run(
        [*CLI, *arguments],
        env=dict(env),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def wait_until(what: Callable[[], object], seconds: float = 60, told: Callable[[], str] = str) -> None:
    """Wait for a condition; the limit only keeps a failing test from hanging."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            message = f"not within {seconds:g} s: {told()}"
            raise AssertionError(message)
        time.sleep(0.05)


def living(data_dir: Path) -> list[int]:
    """Ids of the processes (zombies excluded) that work in or for a data directory."""
    mark = str(data_dir)
    return sorted(
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and int(entry.name) != os.getpid() and _works_for(entry, mark)
    )


def _works_for(entry: Path, mark: str) -> bool:
    texts = []
    for name in ("environ", "cmdline"):
        with suppress(OSError):
            texts.append((entry / name).read_bytes().decode(errors="replace"))
    with suppress(OSError):
        texts.append(str((entry / "cwd").readlink()))
    return any(f"{mark}{end}" in text for text in texts for end in ("\0", "/")) or mark in texts[2:]


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []
