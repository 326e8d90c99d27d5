"""Waiting, bounded, for what nobody announces."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Awaitable[bool]], what: str, within_s: float = 20.0) -> None:
    """Wait until an async condition holds; the limit only keeps a failing test from hanging."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not await condition():
        assert asyncio.get_running_loop().time() < deadline, f"never happened: {what}"
        await asyncio.sleep(0.02)
