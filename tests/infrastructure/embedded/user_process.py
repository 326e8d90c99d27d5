"""Another process that uses an embedded service: starts it, prints where it is, and ends when told to."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infrastructure.embedded.local_model import LocalModel
from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.embedded.valkey import EmbeddedValkey

Service = EmbeddedPostgres | EmbeddedValkey | LocalModel
ROOT = Path(__file__).parents[3]


class UserProcess:
    """A running child of this test that holds one embedded service."""

    def __init__(self, service: str, data_dir: Path, wrapper: list[str]) -> None:
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-m", __name__, service, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def answer(self) -> dict[str, Any]:
        """Waits until the service answers; its pid, the user's own user id, and the endpoint's fields."""
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def end(self) -> None:
        """Let it end in good order."""
        self.process.communicate(timeout=60)


@contextmanager
def user_process(service: str, data_dir: Path, wrapper: list[str] | None = None) -> Iterator[UserProcess]:
    """One user process for the block; killed at its end if it still runs."""
    user = UserProcess(service, data_dir, wrapper or [])
    try:
        yield user
    finally:
        if user.process.poll() is None:
            user.process.kill()
        user.process.communicate()


def start(service: str, data_dir: Path) -> tuple[Service, Any]:
    """The started service and its endpoint."""
    if service == "local-model":
        model = LocalModel(data_dir)
        return model, asyncio.run(model.endpoint(time.monotonic() + 120))
    if service == "valkey":
        valkey = EmbeddedValkey(data_dir)
        return valkey, valkey.ensure_running()
    postgres = EmbeddedPostgres(data_dir, settings={"shared_buffers": "16MB"})
    return postgres, postgres.ensure_running()


def main() -> None:
    """Run as a script: SERVICE DATA_DIR."""
    server, endpoint = start(sys.argv[1], Path(sys.argv[2]))
    sys.stdout.write(json.dumps({"pid": server.pid, "uid": os.geteuid(), **asdict(endpoint)}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
