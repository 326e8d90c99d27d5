"""Quotas in one API process: reservations, and the upkeep that keeps them true for everybody else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Mapping
from uuid import uuid4

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.kernel.errors import Unavailable
from domain.usage.quota import Account
from infrastructure.ending import end
from infrastructure.event_store.tail import Doorbell
from infrastructure.quota.counters import QuotaCounters
from infrastructure.quota.ledger import Ledger
from infrastructure.quota.slices import FRESH_S, Hold, Slices

log = logging.getLogger(__name__)
CHANNEL = "aios_quota"
TELL_S = 0.1
REPORT_S = 1.0
IDLE_S = 5.0
LONG_S = 0.2
"""Requests under way for longer than this are written down, so that a crash does not lose them. What slices
hold is there for people to see, and told with each report."""


class QuotaService:
    """Implements the gateway's Holds. Make it inside the event loop, then `start` it."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection], dsn: str, counters: QuotaCounters) -> None:
        self.node_id = uuid4().hex
        self.ledger = Ledger(pool, self.node_id)
        self.slices = Slices(self.ledger)
        self._counters = counters
        self._bell = Doorbell(dsn, CHANNEL)
        self._holds: dict[tuple[str, str], Hold] = {}
        self._ended: list[tuple[str, str]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._telling = asyncio.Lock()
        self.working = asyncio.Lock()  # held during database work, which is never cancelled half way
        self._joined = False

    async def hold(self, tenant: str, request_id: str, needs: Mapping[Account, int]) -> Hold:
        """Reserve. Raises DoesNotFit, or Unavailable when the ledger is needed and does not answer."""
        if not self.slices.reserve(needs):
            await self.slices.acquire(tenant, needs)
            self._joined = True
        hold = Hold(self.node_id, tenant, request_id, needs)
        key = (tenant, request_id)
        self._holds[key] = self._counters.open[key] = hold
        return hold

    async def extend(self, hold: Hold, needs: Mapping[Account, int]) -> None:
        """Reserve more for the same request. Raises as `hold` does, and then changes nothing."""
        if not self.slices.reserve(needs):
            await self.slices.acquire(hold.tenant, needs)
        hold.needs = {a: hold.needs.get(a, 0) + needs.get(a, 0) for a in {*hold.needs, *needs}}

    def settle(self, hold: Hold, tokens: int, cost_micros: int) -> None:
        """End a reservation by what the stored record says was used; twice is once."""
        if hold.closed:
            return
        hold.closed = True
        hold.record = None  # it knows the whole request, which knows the hold
        key = (hold.tenant, hold.request_id)
        if self._holds.get(key) is hold:
            del self._holds[key]
            self._counters.open.pop(key, None)
        if hold.written:
            self._ended.append(key)
        self.slices.settle(hold.needs, tokens, cost_micros)

    def standing(self, account: Account) -> tuple[int, int]:
        """Return what is used of an account, as last heard (0 when never), and what this process holds."""
        return self.slices.used.get(account, 0), self.slices.held(account)

    def count(self, account: Account, amount: int) -> None:
        """Note use of an account that no hard cap limits."""
        self.slices.note(account, amount)

    def limits_changed(self, tenant: str, kind: str, id_: str) -> None:
        """Stop reserving from slices of a scope whose limits changed; what is idle goes back."""
        for account, have in self.slices.table.items():
            if account[:3] == (tenant, kind, id_):
                self.slices.owed[account] = self.slices.owed.get(account, 0) + have.give_back()
                self.slices.touched.add(account)

    async def start(self) -> None:
        """Begin to listen and to report."""
        await self._bell.start()
        self._tasks = [
            asyncio.create_task(self._upkeep(), name="quota-upkeep"),
            asyncio.create_task(self._answer_recalls(), name="quota-recalls"),
        ]

    async def close(self) -> None:
        """Give everything back; call it when nothing is under way any more."""
        await cancelled_between(self.working, self._tasks)
        await self.slices.close()
        await self._bell.close()
        with contextlib.suppress(Unavailable):
            if self._joined:
                await self.ledger.leave()

    async def tell(self, *, held: bool = True) -> None:
        """Write down which requests are under way, and what is held now, so that everybody sees it.

        Without `held` only the former. Raises Unavailable.
        """
        async with self._telling:
            slices = self.slices
            if slices.owed:
                await slices.return_idle([])
            touched: set[Account] = set()
            if held:
                touched, slices.touched = slices.touched, set()
            ended, self._ended = self._ended, []
            late = time.monotonic() - LONG_S
            new = [h for h in self._holds.values() if h.record and not h.written and h.since < late]
            for hold in new:
                hold.written = True
            amounts = {a: s.held for a in sorted(touched) if (s := slices.table.get(a)) is not None}
            rows = [(h.tenant, h.request_id, msgspec.json.encode(h.record())) for h in new if h.record]
            try:
                if amounts or rows or ended:
                    await self.ledger.tell_held(amounts, rows, ended)
            except Unavailable:
                slices.touched |= touched
                self._ended += ended
                for hold in new:
                    hold.written = False
                raise
            finally:
                self._ended += [(h.tenant, h.request_id) for h in new if h.closed]

    async def _upkeep(self) -> None:
        reported = 0.0
        while True:
            await asyncio.sleep(TELL_S)
            if not self._joined:
                continue
            now = time.monotonic()
            try:
                async with self.working:
                    if now - reported >= REPORT_S:
                        reported = now
                        await self._report(now)
                        await self.tell()
                    elif self.slices.owed or self._holds or self._ended:
                        await self.tell(held=False)
            except Unavailable:
                continue
            except Exception:
                log.exception("the upkeep of quotas failed once")

    async def _report(self, now: float) -> None:
        recalled = None if self.slices.doubtful else await self.ledger.report()
        if recalled is None:
            await self.slices.rejoin()
            recalled = await self.ledger.recalled()
        self.slices.fresh_until = now + FRESH_S
        if recalled:
            await self.slices.return_idle(recalled)
        idle = self.slices.unused_since(now - IDLE_S)
        if idle:
            await self.ledger.drop(self.slices.forget(idle))

    async def _answer_recalls(self) -> None:
        with self._bell.bell() as bell:
            while True:
                await bell.wait()
                bell.clear()
                if not self._joined:
                    continue
                try:
                    async with self.working:
                        await self._answer()
                except Unavailable:
                    continue  # it is answered with the next report
                except Exception:
                    log.exception("idle slices could not be given back")

    async def _answer(self) -> None:
        """Give idle slices back that others ask for; the next report makes up for a lost notification."""
        accounts = await self.ledger.recalled()
        if accounts:
            await self.slices.return_idle(accounts)


async def cancelled_between(working: asyncio.Lock, tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks while none works (under `working`), or after five seconds all the same."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(working.acquire(), 5.0)
    await end(*tasks)
    if working.locked():
        working.release()
