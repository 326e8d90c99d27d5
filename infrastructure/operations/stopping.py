"""Runs a process until SIGTERM or SIGINT, once or often, and ends with status 0."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable


async def until_stopped(work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` until it ends or a signal asks to stop; then it is cancelled and awaited."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
