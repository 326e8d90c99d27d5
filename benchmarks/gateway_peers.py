"""Starts other gateways beside ours, each in a temporary environment, installed by name on request.

LiteLLM is `litellm[proxy]` in a virtual environment of its own. Portkey is `@portkey-ai/gateway` with hono
pinned to 4.9.7, with which its streams work; it needs node and npm. A peer that cannot be installed or
started is left out, with the reason.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.gateway_processes import ADMIN_KEY, process

INSTALL_S = 900
START_S = 180
PORTKEY = "@portkey-ai/gateway@1.15.2"
HONO = "4.9.7"


class Peer(NamedTuple):
    """A gateway that runs: where it listens, its process, and the headers that its requests need."""

    name: str
    port: int
    pid: int
    headers: str = ""


class Missing(Exception):
    """A peer cannot be measured here."""


@contextmanager
def litellm(folder: Path, upstream: int) -> Iterator[Peer]:
    """Install and run LiteLLM's proxy in front of the upstream. Raises Missing."""
    python = folder / "litellm" / "bin" / "python"
    _run([sys.executable, "-m", "venv", str(folder / "litellm")])
    _run([str(python), "-m", "pip", "install", "--quiet", "litellm[proxy]"])
    config = folder / "litellm.json"  # JSON is YAML
    target = {"model": "openai/bench", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "k"}
    config.write_text(
        json.dumps(
            {
                "model_list": [{"model_name": "auto", "litellm_params": target}],
                "general_settings": {"master_key": ADMIN_KEY},
                "litellm_settings": {"telemetry": False},
            }
        )
    )
    port = _free_port()
    env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    argv = (
        str(python.with_name("litellm")),
        "--config",
        str(config),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    )
    with process(*argv, env=env, stderr=subprocess.DEVNULL, cwd=folder) as child:
        _wait(f"http://127.0.0.1:{port}/health/liveliness", child, "LiteLLM")
        yield Peer("litellm", port, child.pid)


@contextmanager
def portkey(folder: Path, upstream: int) -> Iterator[Peer]:
    """Install and run Portkey's gateway in front of the upstream. Raises Missing."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("node and npm are not on the path")
    home = folder / "portkey"
    home.mkdir()
    (home / "package.json").write_text(json.dumps({"private": True, "overrides": {"hono": HONO}}))
    _run([npm, "install", "--no-audit", "--no-fund", "--silent", PORTKEY], cwd=home)
    server = home / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    port = _free_port()
    headers = f"x-portkey-provider: openai\r\nx-portkey-custom-host: http://127.0.0.1:{upstream}/v1\r\n"
    argv = (node, str(server), f"--port={port}", "--headless")
    env = {**os.environ, "TRUSTED_CUSTOM_HOSTS": "127.0.0.1"}  # it refuses loopback otherwise
    with process(*argv, env=env, stderr=subprocess.DEVNULL, cwd=home) as child:
        _wait(f"http://127.0.0.1:{port}/", child, "Portkey")
        yield Peer("portkey", port, child.pid, headers)


def _run(argv: list[str], cwd: Path | None = None) -> None:
    try:
        subprocess.run(argv, check=True, capture_output=True, timeout=INSTALL_S, cwd=cwd, text=True)
    except (subprocess.SubprocessError, OSError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise Missing(f"{Path(argv[0]).name} failed: {said[-1] if said else error}") from None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def _wait(url: str, child: subprocess.Popen[str], name: str) -> None:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        if child.poll() is not None:
            raise Missing(f"{name} ended with status {child.returncode} while it started")
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    raise Missing(f"{name} did not answer within {START_S} s")
