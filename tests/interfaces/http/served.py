"""Runs the server as the product does, in a process of its own: `python -m tests.interfaces.http.served`.

It listens on a free port, prints it, and has one slow route beside the usual ones.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from litestar import Litestar, get

from interfaces.http.app import create_app
from interfaces.http.server import listen, serve
from tests.interfaces.http.fakes import World


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@get("/slow", opt={"public": True})
async def slow() -> str:
    await asyncio.sleep(1)
    return "done"


@asynccontextmanager
async def lifespan(_app: Litestar) -> AsyncIterator[None]:
    say("up")
    yield
    say("down")


def application() -> Litestar:
    world = World(dist=Path(tempfile.gettempdir()) / "none")
    return create_app(world.services(), gateway=[slow], lifespan=[lifespan])


def main() -> None:
    listener = listen("127.0.0.1", 0)
    say(str(listener.getsockname()[1]))
    if sys.argv[1:] == ["fd"]:
        serve(application, fd=listener.detach())
    else:
        serve(application, sock=listener)


if __name__ == "__main__":
    main()
