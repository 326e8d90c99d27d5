"""Runs the application under uvicorn: one process, a socket of its own or one it was handed, a gentle end."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import uvicorn

from interfaces.http.protocol import LimitedProtocol

KEEP_ALIVE_S: Final = 75  # longer than the idle time of usual load balancers, so that they close first
GRACE_S: Final = 15  # with the application's own shutdown, an end stays below 20 s
BACKLOG: Final = 2048
COLLECT_AFTER: Final = (10_000, 20, 50)  # requests leave few cycles behind; saves a tenth of their CPU


class Server(uvicorn.Server):
    """A uvicorn server whose SIGTERM and SIGINT, once or often, are one request to stop, with status 0."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ask the server to end after the requests in progress."""
        self.should_exit = True


class OwnProcess(Server):
    """A server that has its process to itself, and tunes the collector of cycles for it."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; what was loaded by then stays for good, and need not be searched with every request."""
        await super().startup(sockets)
        tune_collector()


def tune_collector() -> None:
    """Let the collector of cycles leave alone what is loaded by now, and come less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; processes that share a port inherit it. Raises OSError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    sock.set_inheritable(True)
    return sock


def serve(factory: Callable[[], Any], *, sock: socket.socket | None = None, fd: int | None = None) -> None:
    """Serve the application that `factory` makes until SIGTERM or SIGINT; returns when everything has ended.

    The listening socket is given as such or as an inherited file descriptor. Raises SystemExit(3) when the
    application's lifespan fails to start.
    """
    if (sock is None) == (fd is None):
        raise ValueError("give the listening socket either as `sock` or as `fd`")
    listener = sock if sock is not None else socket.socket(fileno=fd)
    OwnProcess(configure(factory)).run(sockets=[listener])


def configure(
    factory: Callable[[], Any], protocol: type[LimitedProtocol] = LimitedProtocol
) -> uvicorn.Config:
    """Return uvicorn's settings; logging is configured by whoever starts the process."""
    return uvicorn.Config(
        factory,
        factory=True,
        http=protocol,
        loop="uvloop",
        ws="websockets-sansio",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        backlog=BACKLOG,
    )
