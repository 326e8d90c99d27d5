"""Starts what the gateway's benchmark runs, each a process of its own, and reads what they cost."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from interfaces.http.server import listen

ADMIN_KEY = "aios_admin_of-the-gateway-benchmark-0123456789"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
CLI = (sys.executable, "-m", "interfaces.cli.main")


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process and its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[at]) for at in (11, 12, 13, 14)) / TICKS


def exact_cpu_seconds(pid: int) -> float:
    """Return the time that a process's living threads have run, to the nanosecond."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def tree_cpu_seconds(pid: int) -> float:
    """Return user and system time of a process and its descendants that live or were waited for."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return cpu_seconds(pid) + sum(tree_cpu_seconds(int(child)) for child in children)


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6


@contextmanager
def process(*argv: str, env: dict[str, str] | None = None, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a process for a while; it gets SIGTERM at the end, and SIGKILL when that does not help."""
    child = subprocess.Popen(argv, env=env, text=True, stdout=subprocess.PIPE, **options)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def port_of(child: subprocess.Popen[str]) -> int:
    """Return the port that a child prints first."""
    output: IO[str] | None = child.stdout
    assert output is not None, "children are started with a pipe"
    return int(output.readline())


@contextmanager
def product(folder: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Run the real product's API and projector on embedded servers; yields the API's port and process."""
    env = {
        **os.environ,
        "AIOS_DATA_DIR": str(folder),
        "AIOS_ADMIN_KEY": ADMIN_KEY,
        "AIOS_LOG_LEVEL": "INFO",
    }
    subprocess.run([*CLI, "migrate"], env=env, check=True, stdout=subprocess.DEVNULL)
    with (
        listen("127.0.0.1", 0) as sock,
        process(*CLI, "project", env=env, stderr=subprocess.DEVNULL),
        process(
            *CLI,
            "serve",
            "--fd",
            str(sock.fileno()),
            env=env,
            pass_fds=[sock.fileno()],
            stderr=subprocess.DEVNULL,
        ) as api,
    ):
        port = sock.getsockname()[1]
        wait_for(port)
        yield port, api


def wait_for(port: int) -> None:
    """Wait until the product is ready."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready"):
            return
        time.sleep(0.1)
    raise RuntimeError("the product did not become ready within 60 s")


def manage(port: int, path: str, body: dict[str, Any], method: str = "POST") -> None:
    """Call the management API."""
    call = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/ai-advanced{path}",
        data=json.dumps(body).encode(),
        headers={"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"},
        method=method,
    )
    urllib.request.urlopen(call).close()


def govern(port: int, upstream: int, *workspaces: str) -> None:
    """Register the upstream as a priced provider and make it the policies' target, with a fallback."""
    prices = {"input_per_mtok_usd": 1.0, "output_per_mtok_usd": 2.0}
    models = [{"name": name, "prices": prices} for name in ("bench", "bench-2")]
    url = f"http://127.0.0.1:{upstream}/v1"
    manage(
        port,
        "/providers",
        {"name": "bench", "dialect": "openai", "base_url": url, "api_key": "k", "models": models},
    )
    rule = {
        "segment": "*",
        "provider": "bench",
        "model": "bench",
        "fallback": ["bench-2"],
        "latency_budget_ms": 60_000,
    }
    for workspace in workspaces or ("default",):
        policy = {
            "workspace_id": workspace,
            "rules": [rule],
            "fallback_strategy": "order",
            "auto_fallback_enabled": True,
        }
        manage(port, "/model-policy/set", policy)
