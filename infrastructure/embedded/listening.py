"""Holds the product's listening socket across restarts of the API, and asks whether the API is ready."""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable

from infrastructure.embedded.errors import ServiceStartError

_BACKLOG = 2048


def listening_socket(host: str, port: int) -> socket.socket:
    """A listening TCP socket for children to inherit; attempts to connect wait in it while no child accepts.

    Port 0 takes a free one. Raises ServiceStartError that names the cure when the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    held = socket.socket(family, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((host, port))
        held.listen(_BACKLOG)
    except OSError as error:
        held.close()
        raise ServiceStartError(_why_not(host, port, error)) from error
    return held


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: stop what listens there, or set AIOS_PORT to a free port"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights than this user has: set AIOS_PORT to a port above 1023"
    return f"cannot listen on {host} port {port} ({error.strerror or error}): check AIOS_HOST and AIOS_PORT"


def http_ready(host: str, port: int, path: str, timeout: float = 2.0) -> Callable[[], Awaitable[bool]]:
    """A probe: whether `GET path` answers 200 within `timeout` seconds."""

    async def probe() -> bool:
        try:
            async with asyncio.timeout(timeout):
                return await _status(host, port, path) == 200
        except (OSError, TimeoutError, ValueError):
            return False

    return probe


async def _status(host: str, port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        words = (await reader.readline()).split()
        return int(words[1]) if len(words) > 1 else 0
    finally:
        writer.close()
