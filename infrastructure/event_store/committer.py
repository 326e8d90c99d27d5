"""Group commit: one committer a process turns many waiting commands into one transaction.

Positions come from the one-row head, locked for the transaction, so they are gapless and in commit order
however many processes write, and readers need no logic for gaps.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from application.ports import Appended, AppendRequest
from domain.audit.chain import microseconds
from domain.kernel.errors import AiosError, InvalidInput, Unavailable
from infrastructure.event_store.batch import Batch, claim_key, command_key
from infrastructure.event_store.codec import Encoded, encode
from infrastructure.event_store.statements import STATEMENTS, known_from, lookups, writes
from infrastructure.event_store.wire import ConnectionLost, PipelineConnection, StatementFailed
from infrastructure.keyring.keyring import Keyring

MAX_COMMANDS = 1000
PATIENCE_S = 15.0
HALF_PARTITION = 2_000_000
Observer = Callable[[int, float], None]


@dataclass(slots=True, eq=False)
class _Waiting:
    request: AppendRequest
    encoded: tuple[Encoded, ...]
    answer: asyncio.Future[Appended]
    since: float


class GroupCommitter:
    """Accepts appends from any task of one event loop; `observe(commands, seconds)` sees each transaction."""

    def __init__(
        self,
        dsn: str,
        keyring: Keyring,
        control_types: frozenset[str] = frozenset(),
        observe: Observer | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._dsn = dsn
        self._keyring = keyring
        self._control_types = control_types
        self._observe = observe
        self._patience_s = patience_s
        self._queue: deque[_Waiting] = deque()
        self._batch: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._link: PipelineConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._half = -1

    async def append(self, request: AppendRequest) -> Appended:
        """Store one command's events and return when they are durable.

        Raises VersionConflict or NameTaken (nothing stored), InvalidInput for text that PostgreSQL cannot
        hold, Unavailable when the database did not answer in time: then it is not known whether the command
        was stored, and repeating it with the same command id is safe.
        """
        _check(request)
        now = time.monotonic()
        bucket = datetime.now(UTC).strftime("%Y-%m")
        encoded = tuple(
            encode(new.event, request.tenant, f"{request.command_id}.{i}", bucket)
            for i, new in enumerate(request.events)
        )
        waiting = _Waiting(request, encoded, asyncio.get_running_loop().create_future(), now)
        self._queue.append(waiting)
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="group-committer")
        return await asyncio.shield(waiting.answer)

    async def close(self) -> None:
        """Store what is waiting, then stop."""
        waiting = [w.answer for w in (*self._batch, *self._queue)]
        await asyncio.gather(*waiting, return_exceptions=True)
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._link:
            self._link.close()

    async def _run(self) -> None:
        try:
            while True:
                await self._wake.wait()
                await self._gather(len(self._batch))
                self._batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_COMMANDS))]
                if not self._queue:
                    self._wake.clear()
                await self._store(self._batch)
        finally:
            for waiting in (*self._batch, *self._queue):
                _refuse(waiting, Unavailable("database", "the event store is shutting down", 1.0))

    async def _gather(self, last: int) -> None:
        """Let the callers that the last transaction released come back before the next one begins."""
        if last > 1:
            for _ in range(3):
                if len(self._queue) >= last:
                    return
                await asyncio.sleep(0)

    async def _store(self, batch: list[_Waiting]) -> None:
        """Commit a batch; after a lost connection again, which begins by looking the commands up."""
        delay = 0.05
        while batch:
            try:
                await self._commit(batch)
            except StatementFailed as error:
                await self._store_apart(batch, error)
            except Unavailable as error:
                batch = self._give_up_on_old(batch, error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 1.0)
                continue
            except Exception as error:
                for waiting in batch:
                    _refuse(waiting, error)
                raise
            return

    async def _store_apart(self, batch: list[_Waiting], error: StatementFailed) -> None:
        if len(batch) == 1:
            _refuse(batch[0], Unavailable("database", f"the event store refused the command: {error}"))
            return
        for waiting in batch:
            await self._store([waiting])

    def _give_up_on_old(self, batch: list[_Waiting], error: Unavailable) -> list[_Waiting]:
        now = time.monotonic()
        for waiting in batch:
            if now - waiting.since > self._patience_s:
                _refuse(waiting, error)
        return [w for w in batch if not w.answer.done()]

    async def _commit(self, batch: list[_Waiting]) -> None:
        began = time.perf_counter()
        await self._keyring.ensure(scope for w in batch for e in w.encoded for _, _, scope in e.personal)
        link = await self._connection()
        requests = [w.request for w in batch]
        known = known_from(
            await link.run(
                lookups(
                    [command_key(r) for r in requests],
                    list({new.stream_id for r in requests for new in r.events}),
                    [claim_key(r.tenant, c.scope, c.name) for r in requests for c in r.claims],
                )
            )
        )
        at_us = microseconds(datetime.now(UTC))
        judged = Batch(known, at_us, self._keyring.sealing_key)
        for waiting in batch:
            judged.judge(waiting.request, waiting.encoded)
        await self._write(link, judged, at_us)
        for waiting, result in zip(batch, judged.results, strict=True):
            _resolve(waiting, result)
        if self._observe:
            self._observe(len(batch), time.perf_counter() - began)

    async def _write(self, link: PipelineConnection, judged: Batch, at_us: int) -> None:
        if not judged.new_commands:
            await link.run([(b"rollback", None)])
            return
        control = any(t.decode() in self._control_types for t in set(judged.rows.types))
        statements = writes(judged, at_us, control=control)
        half = judged.position // HALF_PARTITION
        if half != self._half:
            ahead = (judged.position + HALF_PARTITION).to_bytes(8, "big")
            statements[:0] = [
                (b"partition", [judged.position.to_bytes(8, "big")]),
                (b"partition", [ahead]),
            ]
            self._half = half
        await link.run(statements)

    async def _connection(self) -> PipelineConnection:
        if self._link is None or self._link.closed:
            self._link = await PipelineConnection.open(self._dsn, STATEMENTS)
        return self._link


def _check(request: AppendRequest) -> None:
    texts = [request.tenant, request.command_id, request.correlation, request.actor]
    texts += [new.stream_id for new in request.events]
    for text in texts:
        if "\0" in text:
            raise InvalidInput("a NUL character cannot be stored in an id; remove it")
    for new in request.events:
        if not new.stream_id.startswith(f"{request.tenant}/"):
            raise InvalidInput(f"stream '{new.stream_id}' is not of tenant '{request.tenant}'")


def _resolve(waiting: _Waiting, result: Appended | AiosError) -> None:
    if isinstance(result, AiosError):
        _refuse(waiting, result)
    elif not waiting.answer.done():
        waiting.answer.set_result(result)


def _refuse(waiting: _Waiting, error: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)
        waiting.answer.exception()  # a caller that hung up must not leave "exception was never retrieved"


__all__ = ["ConnectionLost", "GroupCommitter"]
