"""Lets a process wait until read models have applied a position, so that clients read their own writes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from projections.bookkeeping import CHANNEL, WANTED_CHANNEL

POLL_S = 0.25
HURRY_AFTER_S = 0.005
"""After an idle moment read models move sooner than this; busy runners rest until they are told."""
LISTEN_FOR_S = 5.0
CANCEL_AGAIN_S = 0.25
_POSITIONS = text(
    "SELECT c.projection, c.position FROM projection_checkpoints c "
    "JOIN projection_generations g USING (projection, generation) WHERE g.state = 'active'"
)
_HURRY = text(f"SELECT pg_notify('{WANTED_CHANNEL}', '')")
logger = logging.getLogger(__name__)


class ProjectionWaiter:
    """Knows how far each projection is: told by notifications, asked by a poll while someone waits.

    Who still waits after a moment tells the runners, which rest between batches in busy times.

    It listens only while someone waits and for a few seconds more, since every batch of every projection
    notifies and most requests wait for none. `engine` may connect as any of the product's roles; one of its
    connections is held while listening.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        projections: Sequence[str],
        poll_s: float = POLL_S,
        listen_for_s: float = LISTEN_FOR_S,
    ) -> None:
        self._engine = engine
        self._names = tuple(projections)
        self._poll_s = poll_s
        self._listen_for_s = listen_for_s
        self._positions: dict[str, int] = {}
        self._moved = asyncio.Condition()
        self._wanted = asyncio.Event()
        self._hears = False
        self._waiting = 0
        self._last_wanted = 0.0
        self._listener: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Be ready to listen in the background."""
        self._listener = asyncio.create_task(self._listen_for_ever(), name="projection-waiter")

    async def close(self) -> None:
        """Stop listening; on Python 3.11 `wait_for` can swallow a cancellation, so it is repeated."""
        while self._listener is not None and not self._listener.done():
            self._listener.cancel()
            await asyncio.wait({self._listener}, timeout=CANCEL_AGAIN_S)

    async def caught_up(self, position: int, projections: Sequence[str] = (), timeout_s: float = 2.0) -> bool:
        """Return True when the named projections (all, when none is named) have applied a position.

        Returns False when `timeout_s` passed first; it never raises for a database that is away.
        """
        names = projections or self._names
        if self._reached(position, names):
            return True
        self._waiting += 1
        self._wanted.set()
        try:
            async with asyncio.timeout(timeout_s):
                if not self._hears:
                    await self._ask()
                within_s = HURRY_AFTER_S
                while not await self._told(position, names, within_s):
                    await self._ask(hurry=True)
                    within_s = self._poll_s
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
            self._last_wanted = time.monotonic()
        return True

    def _is_wanted(self) -> bool:
        return self._waiting > 0 or time.monotonic() - self._last_wanted < self._listen_for_s

    def _reached(self, position: int, names: Sequence[str]) -> bool:
        return all(self._positions.get(name, 0) >= position for name in names)

    async def _told(self, position: int, names: Sequence[str], within_s: float) -> bool:
        """Wait for notifications for a time; tell whether the position is reached."""
        try:
            async with asyncio.timeout(within_s), self._moved:
                return await self._moved.wait_for(lambda: self._reached(position, names))
        except TimeoutError:
            return False

    async def _ask(self, *, hurry: bool = False) -> None:
        with suppress(DBAPIError, OSError):
            async with self._engine.connect() as conn:
                await conn.execution_options(isolation_level="AUTOCOMMIT")
                if hurry:
                    await conn.execute(_HURRY)
                rows = (await conn.execute(_POSITIONS)).all()
            await self._learn({row.projection: row.position for row in rows})

    async def _learn(self, positions: dict[str, int]) -> None:
        async with self._moved:
            for name, position in positions.items():
                self._positions[name] = max(position, self._positions.get(name, 0))
            self._moved.notify_all()

    async def _listen_for_ever(self) -> None:
        while True:
            await self._wanted.wait()
            try:
                await self._listen()
            except (DBAPIError, psycopg.Error, OSError) as error:
                logger.warning("projection waiter: listening broke off (%s); polling", type(error).__name__)
                await asyncio.sleep(1.0)

    async def _listen(self) -> None:
        async with self._engine.connect() as conn:
            await conn.execution_options(isolation_level="AUTOCOMMIT")
            driver: Any = (await conn.get_raw_connection()).driver_connection
            try:
                await driver.execute(f"LISTEN {CHANNEL}")
                await self._ask()
                self._hears = True
                while self._is_wanted():
                    async for notification in driver.notifies(timeout=self._listen_for_s):
                        name, _, position = notification.payload.rpartition(":")
                        await self._learn({name: int(position)})
                self._wanted.clear()
            finally:
                self._hears = False
                await conn.invalidate()
                await driver.close()  # SQLAlchemy only forgets it
