"""Group commit: one committer a process turns many waiting commands into few transactions.

Positions come from the one-row head, locked for the transaction, so they are gapless and in commit order
however many processes write, and readers need no logic for gaps. Two lanes, each with its own connection,
take turns under load: while PostgreSQL writes one batch, Python encodes and answers the other. With little
to do one lane works alone, for what waits behind its batch costs least as one batch, too; and it begins a
millisecond late where several commands came together before, as PostgreSQL's commit_delay would have it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from application.ports import Appended, AppendRequest
from domain.audit.chain import microseconds
from domain.kernel.errors import AiosError, Unavailable
from infrastructure.ending import end
from infrastructure.event_store import arrays
from infrastructure.event_store.batch import Batch, Known
from infrastructure.event_store.foresight import Foresight
from infrastructure.event_store.prepared import PreparedCommand, prefixed_text, prepare
from infrastructure.event_store.statements import STATEMENTS, known_from, lookups, writes
from infrastructure.event_store.wire import Answer, PipelineConnection, Statement, StatementFailed
from infrastructure.keyring.keyring import Keyring, Scope

LANES = 2
MIN_SHARE, MAX_COMMANDS = 64, 1000
COMPANY, LINGER_S = 3, 0.001
"""After a batch with company the next waits a moment for as much again: one batch costs less than two."""
PATIENCE_S = 15.0
HALF_PARTITION = 2_000_000
log = logging.getLogger(__name__)
Observer = Callable[[int, float], None]


class InlineModel(Protocol):
    """A read model that is written in the append transaction itself, such as a counter that must be exact.

    `statements` are prepared on every connection, by names of its own. `writes` returns what the accepted
    commands of one batch change; it must be additive, for it sees no rows. Verification compares the result
    with the replay (`verify.INLINE_COUNTERS`).
    """

    @property
    def statements(self) -> Mapping[bytes, bytes]: ...

    def writes(self, accepted: Sequence[AppendRequest]) -> list[Statement]: ...


@dataclass(slots=True, eq=False)
class _Lane:
    batch: list[PreparedCommand] = field(default_factory=list)
    link: PipelineConnection | None = None
    task: asyncio.Task[None] | None = None


class GroupCommitter:
    """Accepts appends from any task of one event loop; `observe(commands, seconds)` sees each transaction."""

    def __init__(
        self,
        dsn: str,
        keyring: Keyring,
        control_types: frozenset[str] = frozenset(),
        observe: Observer | None = None,
        patience_s: float = PATIENCE_S,
        inline: Sequence[InlineModel] = (),
    ) -> None:
        self._dsn = dsn
        self._keyring = keyring
        self._control_types = {prefixed_text(name) for name in control_types}
        self._observe = observe
        self._patience_s = patience_s
        self._inline = inline
        self._statements = {**STATEMENTS, **{k: v for model in inline for k, v in model.statements.items()}}
        self._queue: deque[PreparedCommand] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._turn = asyncio.Lock()
        self._lanes = [_Lane() for _ in range(LANES)]
        self._half = -1
        self._last = 0
        self._ahead: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.foresight = Foresight()

    async def append(self, request: AppendRequest) -> Appended:
        """Store one command's events and return when they are durable.

        Raises VersionConflict or NameTaken (nothing stored), InvalidInput for text that PostgreSQL cannot
        hold, Unavailable when the database did not answer in time: then it is not known whether the command
        was stored, and repeating it with the same command id is safe. A cancelled caller does not undo it.
        """
        if self._loop is None:  # asking for it costs a system call
            self._loop = asyncio.get_running_loop()
        command = prepare(request, self._loop)
        self._queue.append(command)
        if self._lanes[0].task is None:
            self._start()
        elif self._idle and (len(self._idle) == LANES or len(self._queue) >= MIN_SHARE):
            self._idle.pop().set_result(None)
        return await command.answer

    async def close(self) -> None:
        """Store what is waiting, then stop."""
        waiting = [c.answer for lane in self._lanes for c in lane.batch] + [c.answer for c in self._queue]
        await asyncio.gather(*waiting, return_exceptions=True)
        await end(*(lane.task for lane in self._lanes))
        for lane in self._lanes:
            if lane.link:
                lane.link.close()

    def _start(self) -> None:
        for number, lane in enumerate(self._lanes):
            lane.task = asyncio.create_task(self._run(lane), name=f"group-committer-{number}")

    async def _run(self, lane: _Lane) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._enough():
                work = loop.create_future()
                self._idle.append(work)
                await work
            if self._last >= COMPANY and len(self._queue) < self._last:
                await asyncio.sleep(LINGER_S)
            lane.batch = self._take()
            self._last = len(lane.batch)
            ending = Unavailable("database", "the event store is shutting down", 1.0)
            try:
                await self._store(lane, lane.batch)
            except Exception as error:
                log.exception("a batch failed unexpectedly")
                ending = Unavailable("database", f"the event store failed: {type(error).__name__}", 1.0)
                if lane.link is not None:
                    lane.link.close()
            finally:
                for command in lane.batch:
                    command.refuse(ending)
                lane.batch = []

    def _enough(self) -> bool:
        """Tell the lane that asks whether to begin: alone with anything, beside another with a fair share."""
        alone = len(self._idle) == LANES - 1
        return len(self._queue) >= (1 if alone else MIN_SHARE)

    def _take(self) -> list[PreparedCommand]:
        """Take a fair share of what is under way, so that the lanes overlap instead of taking all in turn."""
        under_way = len(self._queue) + sum(len(lane.batch) for lane in self._lanes)
        share = min(max(MIN_SHARE, under_way // LANES), MAX_COMMANDS, len(self._queue))
        return [self._queue.popleft() for _ in range(share)]

    async def _store(self, lane: _Lane, batch: list[PreparedCommand]) -> None:
        """Commit a batch; after a lost connection again, which begins by looking the commands up."""
        delay = 0.05
        while batch:
            try:
                await self._commit(lane, batch)
            except StatementFailed as error:
                await self._store_apart(lane, batch, error)
            except Unavailable as error:
                batch = self._still_patient(batch, error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 1.0)
                continue
            return

    async def _store_apart(self, lane: _Lane, batch: list[PreparedCommand], error: StatementFailed) -> None:
        if len(batch) == 1:
            batch[0].refuse(Unavailable("database", f"the event store refused the command: {error}"))
            return
        for command in batch:
            await self._store(lane, [command])

    def _still_patient(self, batch: list[PreparedCommand], error: Unavailable) -> list[PreparedCommand]:
        now = time.monotonic()
        for command in batch:
            if now - command.since > self._patience_s:
                command.refuse(error)
        return [command for command in batch if not command.answer.done()]

    async def _commit(self, lane: _Lane, batch: list[PreparedCommand]) -> None:
        began = time.perf_counter()
        scopes = {s for c in batch for e in c.events for _, _, s in e.encoded.personal}
        sent = None
        while sent is None:
            await self._keyring.ensure(scopes)
            sent = await self._send(lane, batch, scopes)
        judged, written = sent
        try:
            await written
        except StatementFailed:
            if not judged.foreseen:
                raise
            self.foresight.was_wrong()
            return await self._commit(lane, batch)
        except BaseException:
            self.foresight.failed()
            raise
        if judged.foreseen:
            self.foresight.came_true()
        for command, result in zip(batch, judged.results, strict=True):
            if isinstance(result, AiosError):
                command.refuse(result)
            else:
                command.resolve(result)
        if self._observe:
            self._observe(len(batch), time.perf_counter() - began)
        return None

    async def _send(
        self, lane: _Lane, batch: list[PreparedCommand], scopes: Set[Scope]
    ) -> tuple[Batch, Answer] | None:
        """Judge a batch, on foresight or on what the database says, and put it on the wire.

        It leaves when the batch before it holds the head, or it might come first and find it unmoved. Returns
        None when data keys were destroyed meanwhile: those there are now have to be made sure of.
        """
        async with self._turn:
            if lane.link is None or lane.link.closed:
                lane.link = await PipelineConnection.open(self._dsn, self._statements)
            at_us = microseconds(datetime.now(UTC))
            expected = self.foresight.expected(batch) if self._keyring.ready(scopes) else None
            judged = self._judge(batch, expected, at_us, foreseen=True) if expected else None
            if self._ahead is not None and not self._ahead.done():
                await asyncio.shield(self._ahead)
            if judged is None or any(isinstance(result, AiosError) for result in judged.results):
                known = known_from(await lane.link.run(lookups(batch)))
                self._keyring.renew(known.key_epoch)
                if not self._keyring.ready(scopes):
                    await lane.link.run([(b"rollback", None)])
                    return None
                at_us = microseconds(datetime.now(UTC))
                judged = self._judge(batch, known, at_us)
            written = lane.link.send(self._writes(judged, at_us), tell_begun=len(batch) >= MIN_SHARE)
            self._ahead = lane.link.begun
            self.foresight.sent(judged)
        return judged, written

    def _judge(
        self, batch: list[PreparedCommand], known: Known, at_us: int, *, foreseen: bool = False
    ) -> Batch:
        judged = Batch(known, at_us, self._keyring.sealing_key, foreseen=foreseen)
        for command in batch:
            judged.judge(command)
        return judged

    def _writes(self, judged: Batch, at_us: int) -> list[Statement]:
        if not judged.new_commands:
            return [(b"rollback", None)]
        control = not self._control_types.isdisjoint(judged.types)
        extra = [s for model in self._inline for s in model.writes(judged.accepted)]
        statements = writes(judged, at_us, extra, control=control)
        half = judged.position // HALF_PARTITION
        if half != self._half:
            ahead = (judged.position, judged.position + HALF_PARTITION)
            statements[:0] = [(b"partition", [arrays.bigint(position)]) for position in ahead]
            self._half = half
        return statements
