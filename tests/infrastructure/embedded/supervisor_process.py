"""A process that is a supervisor and nothing else, as `aios up` is, with members given on the command line.

Each member is NAME=PYTHON CODE, `once:NAME=CODE`, `slow:NAME=CODE` (half a second of patience when it stops),
`serve:NAME=CODE` (inherits a listening socket, whose number is argument 1), or `postgres:DATA_DIR`.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from infrastructure.embedded.errors import EmbeddedServiceError
from infrastructure.embedded.listening import http_ready, listening_socket
from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.embedded.processes import Backoff, Child, Service, Supervisor

ROOT = Path(__file__).parents[3]


class SupervisorProcess:
    """The running supervisor, and what it has said so far."""

    def __init__(self, *members: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, *members], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def wait_for(self, text: str) -> str:
        """Read on to the line that holds `text`."""
        assert self.process.stdout is not None
        seen = ""
        for line in self.process.stdout:
            seen += line
            if text in line:
                return line
        message = f"the supervisor ended without saying {text!r}:\n{seen}"
        raise AssertionError(message)

    def end(self) -> tuple[int, str]:
        """Wait for its end; its exit status and what it said since."""
        output, _ = self.process.communicate(timeout=60)
        return self.process.returncode, output


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def member(text: str) -> Child | Service:
    """What one command line argument stands for."""
    kind, _, rest = text.partition(":")
    if kind == "postgres":
        return EmbeddedPostgres(Path(rest), settings={"shared_buffers": "16MB", "fsync": "off"}, say=say)
    name, _, code = (rest if kind in {"once", "slow", "serve"} else text).partition("=")
    argv = [sys.executable, "-c", code]
    if kind == "serve":
        held = listening_socket("127.0.0.1", 0)
        port, fd = held.getsockname()[1], held.detach()
        say(f"port {port}")
        ready = http_ready("127.0.0.1", port, "/")
        return Child(name, [*argv, str(fd)], os.environ, ready=ready, pass_fds=[fd])
    return Child(name, argv, os.environ, once=kind == "once", stop_seconds=0.5 if kind == "slow" else 10)


def main() -> int:
    """Supervise the members on the command line until told to stop."""
    members = [member(text) for text in sys.argv[1:]]

    async def run() -> None:
        await Supervisor(members, say, lambda: Backoff(first=0.1, most=0.8, stable=5.0)).run(
            lambda: say("READY")
        )

    try:
        asyncio.run(run())
    except EmbeddedServiceError as error:
        say(f"FAILED {error}")
        return 1
    say("STOPPED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
