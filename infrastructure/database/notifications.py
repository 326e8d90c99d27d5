"""Hears what is notified on a connection that listens, without waking up for anything else.

psycopg's own generator looks again ten times a second; a process with several such connections would spend
most of its idle time on that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import psycopg
from psycopg import AsyncConnection


async def notifications(conn: AsyncConnection) -> AsyncGenerator[str, None]:
    """Yield the payload of every notification from now on; the connection must be used for nothing else.

    Raises psycopg.OperationalError when the connection is lost.
    """
    loop, socket, pgconn = asyncio.get_running_loop(), conn.fileno(), conn.pgconn
    heard = asyncio.Event()
    lost: list[psycopg.Error] = []

    def read() -> None:
        try:
            pgconn.consume_input()
        except psycopg.Error as error:
            loop.remove_reader(socket)  # libpq has closed it: in a moment its number may be somebody else's
            lost.append(error)
        heard.set()

    loop.add_reader(socket, read)
    try:
        while not lost:
            while (found := pgconn.notifies()) is not None:
                yield found.extra.decode()
            await heard.wait()
            heard.clear()
        raise lost[0]
    finally:
        if not lost:
            loop.remove_reader(socket)
