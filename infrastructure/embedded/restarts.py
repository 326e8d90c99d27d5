"""When to start again what has died, and how to wait for that while listening for the wish to stop."""

import asyncio
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """Delays between restarts in seconds: doubling from `first` to `most`; anew after `stable` seconds."""

    first: float = 0.2
    most: float = 10.0
    stable: float = 10.0
    _next: float = field(default=0.0, init=False)

    def after(self, ran: float) -> float:
        """The delay to wait now that it has died after running for `ran` seconds."""
        delay = self.first if ran >= self.stable or not self._next else self._next
        self._next = min(delay * 2, self.most)
        return delay


class Stopped(Exception):
    """Stopping was asked for before the start had finished."""


async def within(event: asyncio.Event, seconds: float) -> bool:
    """Whether `event` comes within `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
