"""A libpq pipeline on asyncio: several prepared statements, one flush, one wake-up.

psycopg's own asynchronous cursors cost about five times the CPU a round trip (`benchmarks/event_store.py`),
and the committer makes two a batch; so it speaks through psycopg's documented libpq binding instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import pq

from domain.kernel.errors import Unavailable

ANSWER_WITHIN_S = 20.0
Statement = tuple[bytes, Sequence[bytes | None] | None]
Answer = Coroutine[Any, Any, list[pq.abc.PGresult]]
_GOOD = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


class ConnectionLost(Unavailable):
    """The connection broke; whether the last transaction was committed is not known."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "database", f"the event store's database does not answer: {detail}", retry_after_s=1.0
        )


class StatementFailed(Exception):
    """PostgreSQL refused a statement; the transaction is rolled back."""

    def __init__(self, sqlstate: str, detail: str) -> None:
        super().__init__(f"{sqlstate}: {detail}")
        self.sqlstate = sqlstate


class PipelineConnection:
    """One connection in pipeline mode, used by one task at a time; parameters and results are binary."""

    def __init__(self, conn: pq.abc.PGconn) -> None:
        self._conn = conn
        self._loop = asyncio.get_running_loop()
        self._socket = conn.socket
        self._results: list[pq.abc.PGresult] = []
        self._arrived: asyncio.Future[None] = self._loop.create_future()
        self.begun: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._socket, self._ready)
        self._reading = True

    @classmethod
    async def open(
        cls, dsn: str, statements: Mapping[bytes, bytes], timeout_s: float = 10.0
    ) -> PipelineConnection:
        """Connect and prepare named statements. Raises ConnectionLost."""
        conn = pq.PGconn.connect_start(dsn.encode())
        try:
            await asyncio.wait_for(_finish_connecting(conn), timeout_s)
        except TimeoutError:
            conn.finish()
            raise ConnectionLost(f"no connection within {timeout_s:g} s") from None
        conn.nonblocking = 1
        conn.enter_pipeline_mode()
        link = cls(conn)
        link._expect()
        for name, sql in statements.items():
            conn.send_prepare(name, sql)
        conn.pipeline_sync()
        _checked(await link._collected())
        return link

    async def run(self, statements: Sequence[Statement]) -> list[pq.abc.PGresult]:
        """Execute prepared statements in one round trip and return their results.

        Raises StatementFailed after rolling back when PostgreSQL refuses one, ConnectionLost when the
        connection breaks or the call is cancelled half way (the connection is then closed).
        """
        return await self.send(statements)

    def send(self, statements: Sequence[Statement], *, tell_begun: bool = False) -> Answer:
        """Put statements on the wire now; awaiting the answer does what `run` says.

        They are one transaction that ends with them, unless BEGIN stands among them or came before them.
        `begun` is done once the first of them has been executed, where that is asked for, else at the end.
        """
        send = self._conn.send_query_prepared
        self._expect()
        try:
            for number, (name, params) in enumerate(statements):
                send(name, params, [1] * len(params) if params else None, 1)
                if tell_begun and not number:
                    self._conn.send_flush_request()
            self._conn.pipeline_sync()
            self._conn.flush()
        except psycopg.Error as error:
            self.close()
            raise ConnectionLost(str(error)) from error
        return self._answer()

    async def _answer(self) -> list[pq.abc.PGresult]:
        try:
            return _checked(await self._collected())
        except StatementFailed:
            await self._roll_back()
            raise

    async def _roll_back(self) -> None:
        if self._conn.transaction_status != pq.TransactionStatus.IDLE:
            self._expect()
            self._conn.send_query_params(b"ROLLBACK", None)
            self._conn.pipeline_sync()
            await self._collected()

    def _expect(self) -> None:
        self._results = []
        self._arrived = self._loop.create_future()
        self.begun = self._loop.create_future()

    async def _collected(self) -> list[pq.abc.PGresult]:
        """Wait for everything up to the next end of pipeline; closes the connection when that fails."""
        expiry = self._loop.call_later(ANSWER_WITHIN_S, self._expire)
        try:
            await _flush(self._conn, self._loop, self._socket)
            await self._arrived
        except BaseException:
            self.close()
            raise
        finally:
            expiry.cancel()
            _settle(self.begun)
        return self._results

    def _expire(self) -> None:
        if not self._arrived.done():
            self._arrived.set_exception(ConnectionLost(f"no answer within {ANSWER_WITHIN_S:g} s"))
            self._arrived.exception()  # whoever awaits it is told; nobody has to

    def _ready(self) -> None:
        """Take what has arrived; the reader stays, for adding and removing one costs two system calls."""
        try:
            if _collect(self._conn, self._results):
                _settle(self._arrived)
            elif self._results:
                _settle(self.begun)
        except psycopg.Error as error:
            self._stop_reading()  # libpq has closed the socket: in a moment its number may be somebody else's
            if not self._arrived.done():
                self._arrived.set_exception(ConnectionLost(str(error).strip()))
                self._arrived.exception()  # whoever awaits it is told; nobody has to

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._socket)

    @property
    def closed(self) -> bool:
        """Tell whether the connection can no longer be used."""
        return self._conn.status != pq.ConnStatus.OK

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        self._stop_reading()
        with suppress(psycopg.Error):
            self._conn.finish()


def _collect(conn: pq.abc.PGconn, results: list[pq.abc.PGresult]) -> bool:
    """Take what has arrived; True once the pipeline's end was seen."""
    conn.consume_input()
    empty = 0
    while not conn.is_busy():
        result = conn.get_result()
        if result is None:
            empty += 1
            if empty > 1:
                return False
            continue
        empty = 0
        if result.status == pq.ExecStatus.PIPELINE_SYNC:
            return True
        results.append(result)
    return False


def _settle(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


async def _flush(conn: pq.abc.PGconn, loop: asyncio.AbstractEventLoop, socket: int) -> None:
    """Push buffered output; waits for the socket only when the kernel's buffer is full."""
    while conn.flush():
        writable: asyncio.Future[None] = loop.create_future()
        loop.add_writer(socket, _settle, writable)
        try:
            await writable
        finally:
            loop.remove_writer(socket)


def _checked(results: list[pq.abc.PGresult]) -> list[pq.abc.PGresult]:
    for result in results:
        if result.status not in _GOOD and result.status != pq.ExecStatus.PIPELINE_ABORTED:
            state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
            detail = (
                result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message or b""
            ).decode()
            if state.startswith(("57P", "08")):
                raise ConnectionLost(detail)
            raise StatementFailed(state, detail)
    return results


async def _finish_connecting(conn: pq.abc.PGconn) -> None:
    loop = asyncio.get_running_loop()
    while True:
        status = conn.connect_poll()
        if status == pq.PollingStatus.OK:
            return
        if status == pq.PollingStatus.FAILED:
            detail = (conn.error_message or b"").decode().strip()
            conn.finish()
            raise ConnectionLost(detail)
        waiting: asyncio.Future[None] = loop.create_future()
        watch = loop.add_reader if status == pq.PollingStatus.READING else loop.add_writer
        forget = loop.remove_reader if status == pq.PollingStatus.READING else loop.remove_writer
        socket = conn.socket
        watch(socket, _settle, waiting)
        try:
            await waiting
        finally:
            forget(socket)
