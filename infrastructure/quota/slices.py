"""This process's slices: reserves from memory, and queues for the ledger what does not fit."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from domain.kernel.errors import Unavailable
from domain.kernel.request_record import RequestRecorded
from domain.usage.quota import Account
from domain.usage.quota_slices import DoesNotFit, Slice
from infrastructure.ending import end
from infrastructure.quota.ledger import Granted, Lapsed, Ledger

FRESH_S = 8.0
"""From memory is reserved only within this time of the last report; the ledger keeps slices longer."""

ANSWER_S = 5.0
"""How long other processes have to give idle slices back before a request is refused."""


class Hold:
    """A reservation: what one request may use at most, of each account that limits it.

    `record` tells how to record the request should this process die; None until a provider is called.
    """

    __slots__ = (
        "closed",
        "dispatched",
        "needs",
        "node_id",
        "record",
        "request_id",
        "since",
        "tenant",
        "written",
    )

    def __init__(self, node_id: str, tenant: str, request_id: str, needs: Mapping[Account, int]) -> None:
        self.node_id = node_id
        self.tenant = tenant
        self.request_id = request_id
        self.needs = needs
        self.since = time.monotonic()
        self.record: Callable[[], RequestRecorded] | None = None
        self.written = False
        self.closed = False

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Return the accounts it is made from."""
        return tuple(self.needs)


class _Ask:
    """A request that waits for the ledger."""

    __slots__ = ("answer", "needs", "recalls", "until")

    def __init__(self, needs: Mapping[Account, int], answer: asyncio.Future[None]) -> None:
        self.needs = needs
        self.answer = answer
        self.recalls: dict[Account, int] | None = None
        self.until = time.monotonic() + ANSWER_S


class Slices:
    """All slices of one process.

    `used` is what was last heard of each account's use, by anybody; `touched` are accounts whose holds
    changed since they were told; `owed` was taken out of slices and not given back yet; `doubtful` is set
    when it is not known whether the ledger took a change. `noted` are accounts whose use changed, or that
    `refused` something. Whoever moves idle parts between memory and ledger holds `exclusive`.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.table: dict[Account, Slice] = {}
        self.used: dict[Account, int] = {}
        self.touched: set[Account] = set()
        self.last_use: dict[Account, float] = {}
        self.owed: dict[Account, int] = {}
        self.doubtful = False
        self.fresh_until = 0.0
        self.noted: set[Account] = set()
        self.refused: set[Account] = set()
        self.exclusive = asyncio.Lock()
        self._queues: dict[str, deque[_Ask]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}

    def reserve(self, needs: Mapping[Account, int]) -> bool:
        """Reserve from memory, all of it or nothing."""
        now = time.monotonic()
        if now >= self.fresh_until:
            return False
        table = self.table
        for account, amount in needs.items():
            have = table.get(account)
            if have is None or have.granted - have.held < amount:
                return False
        for account, amount in needs.items():
            table[account].held += amount
            self.last_use[account] = now
        self.touched.update(needs)
        return True

    async def acquire(self, tenant: str, needs: Mapping[Account, int]) -> None:
        """Reserve with the ledger's help. Raises DoesNotFit, or Unavailable when it does not answer."""
        ask = _Ask(needs, asyncio.get_running_loop().create_future())
        self._queues.setdefault(tenant, deque()).append(ask)
        if tenant not in self._workers:
            task = asyncio.create_task(self._serve(tenant), name=f"quota-{tenant}")
            self._workers[tenant] = task
        try:
            await ask.answer
        except asyncio.CancelledError:
            if ask.answer.done() and not ask.answer.cancelled() and ask.answer.exception() is None:
                self.release(needs)
            raise

    def release(self, needs: Mapping[Account, int]) -> None:
        """End a reservation that used nothing."""
        self.settle(needs, 0, 0)

    def settle(self, needs: Mapping[Account, int], tokens: int, cost: int) -> None:
        """End a reservation by what was used, which the ledger has taken out of the slice already."""
        used = self.used
        for account, reserved in needs.items():
            amount = tokens if account.unit == "tokens" else cost
            if (have := self.table.get(account)) is not None:
                have.settle(reserved, amount)
            if account in used:
                used[account] += amount
        self.noted.update(needs)
        self.touched.update(needs)

    def note(self, account: Account, amount: int) -> None:
        """Add use to what was last heard; whoever watches the account is told in time."""
        if account in self.used:
            self.used[account] += amount
        self.noted.add(account)

    def unused_since(self, at: float) -> list[Account]:
        """Return accounts with nothing under way for some time, of tenants that ask for nothing."""
        return [
            account
            for account, have in self.table.items()
            if have.held == 0
            and self.last_use.get(account, 0.0) < at
            and account.tenant not in self._workers
            and account not in self.owed
        ]

    def forget(self, accounts: list[Account]) -> list[Account]:
        """Drop slices out of memory, and return them for the ledger to drop."""
        for account in accounts:
            del self.table[account]
            self.last_use.pop(account, None)
            self.touched.discard(account)
        return accounts

    def held(self, account: Account) -> int:
        """Return what this process holds of an account."""
        have = self.table.get(account)
        return 0 if have is None else have.held

    def give_back(self, accounts: list[Account]) -> dict[Account, int]:
        """Take the idle parts out of these slices and return them, for the ledger."""
        return {a: self.table[a].give_back() if a in self.table else 0 for a in accounts}

    async def rejoin(self) -> None:
        """Begin anew at the ledger with what is under way and nothing idle."""
        async with self.exclusive:
            for have in self.table.values():
                have.granted = have.held
            self.owed.clear()
            await self.ledger.rejoin({a: s.held for a, s in self.table.items() if s.held > 0})
            self.doubtful = False
            self.fresh_until = time.monotonic() + FRESH_S

    async def return_idle(self, accounts: list[Account]) -> None:
        """Give the idle parts of slices back, and what is owed. Raises Unavailable."""
        async with self.exclusive:
            idle = self.give_back(accounts)
            owed, self.owed = self.owed, {}
            for account, amount in owed.items():
                idle[account] = idle.get(account, 0) + amount
            if idle:
                with self._doubting():
                    await self.ledger.give_back(idle, {a: self.held(a) for a in idle})

    async def close(self) -> None:
        """Stop serving; who still waits is refused."""
        await end(*self._workers.values())

    async def _serve(self, tenant: str) -> None:
        """Serve a tenant's queue, one transaction for all that wait, until it is empty."""
        queue = self._queues[tenant]
        delay = 0.002
        try:
            while queue:
                waiting = [ask for ask in queue if not ask.answer.done()]
                queue.clear()
                try:
                    left = await self._round(waiting)
                except Lapsed:
                    await self.rejoin()
                    left = waiting
                queue.extendleft(reversed(left))
                if left and len(queue) == len(left):
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, 0.1)
        except BaseException as error:
            problem = error if isinstance(error, Unavailable) else _stopped()
            for ask in (*waiting, *queue):
                if not ask.answer.done():
                    ask.answer.set_exception(problem)
            if not isinstance(error, Unavailable):
                raise
        finally:
            del self._queues[tenant], self._workers[tenant]

    async def _round(self, waiting: list[_Ask]) -> list[_Ask]:
        """Serve who can be served, refuse who must be, and return who waits for idle slices of others."""
        asking = []
        for ask in waiting:
            if self.reserve(ask.needs):
                ask.answer.set_result(None)
            else:
                asking.append(ask)
        if not asking:
            return []
        fresh = any(ask.recalls is None for ask in asking)
        async with self.exclusive:
            returned = self.give_back(sorted({a for ask in asking for a in ask.needs}))
            with self._doubting():
                granted = await self.ledger.grant([ask.needs for ask in asking], returned, recall=fresh)
            self._take(granted)
        return [
            ask
            for ask, fits in zip(asking, granted.allocation.fits, strict=True)
            if not self._answered(ask, granted, fits=fits)
        ]

    @contextmanager
    def _doubting(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.doubtful = True
            raise

    def _take(self, granted: Granted) -> None:
        now = time.monotonic()
        for account, amount in granted.added.items():
            have = self.table.setdefault(account, Slice())
            have.granted += amount
            have.held += granted.allocation.needed.get(account, 0)
            self.used[account] = granted.books[account].used
            self.last_use[account] = now
        self.touched.update(granted.added)

    def _answered(self, ask: _Ask, granted: Granted, *, fits: bool) -> bool:
        if fits:
            if ask.answer.done():
                self.release(ask.needs)
            else:
                ask.answer.set_result(None)
            return True
        if ask.recalls is None and any(granted.answered[a] is not None for a in ask.needs):
            ask.recalls = {a: granted.recalls[a] for a in ask.needs}
        if self._awaits(ask, granted) and time.monotonic() < ask.until:
            return False
        tight = {a for a, need in ask.needs.items() if granted.books[a].free < need}
        self.refused |= tight
        self.noted |= tight
        if not ask.answer.done():
            ask.answer.set_exception(DoesNotFit({a: granted.books[a] for a in ask.needs}))
        return True

    def _awaits(self, ask: _Ask, granted: Granted) -> bool:
        """Tell whether another process has yet to answer that its idle slices were asked back."""
        for account, number in (ask.recalls or {}).items():
            answered = granted.answered[account]
            if answered is not None and answered < number:
                return True
        return False


def _stopped() -> Unavailable:
    return Unavailable("quota", "quotas cannot be checked: the process is stopping", 1.0)
