"""Runs a process until SIGTERM or SIGINT, once or often, and ends with status 0."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

from infrastructure.ending import end


async def until_stopped(work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` until it ends or a signal asks to stop; then it is cancelled and awaited."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    task = asyncio.ensure_future(work())
    asked = asyncio.create_task(stop.wait())
    await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    await end(task, asked)
