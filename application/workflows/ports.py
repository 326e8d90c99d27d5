"""What the use cases of workflows need from the outside world."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


class Locks(Protocol):
    """Names that one holder has at a time among all processes; a dead holder's name is free at once."""

    def try_hold(self, name: str) -> AbstractAsyncContextManager[bool]:
        """Hold a name while the block runs and tell whether it was free; never waits for it."""
        ...


@dataclass(frozen=True)
class WorkflowPorts:
    """What the handlers get beside the unit of work.

    `cron_problem(text)` returns why a cron text is unusable, None when it is usable.
    """

    cron_problem: Callable[[str], str | None]
