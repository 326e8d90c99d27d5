"""Ends background tasks for certain.

On Python 3.11 `asyncio.wait_for` can swallow a cancellation that arrives together with what it waits for, and
connection pools wait with it. A task cancelled once may therefore go on; so the cancellation is repeated.
"""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN_S = 0.25


async def end(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks until they have ended; what they raised is dropped."""
    pending = {task for task in tasks if task is not None}
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=AGAIN_S)
        for task in done:
            if not task.cancelled():
                task.exception()
