"""Another process that uses an embedded service: starts it, prints where it is, and ends when told to."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.embedded.valkey import EmbeddedValkey

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


def main() -> None:
    """Run as a script: SERVICE DATA_DIR."""
    service, data_dir = sys.argv[1], Path(sys.argv[2])
    if service == "postgres":
        server: EmbeddedPostgres | EmbeddedValkey = EmbeddedPostgres(
            data_dir, settings={"shared_buffers": "16MB"}
        )
    else:
        server = EmbeddedValkey(data_dir)
    endpoint = server.ensure_running()
    sys.stdout.write(json.dumps({"pid": server.pid, "uid": os.geteuid(), **asdict(endpoint)}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
