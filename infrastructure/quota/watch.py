"""Looks after quotas off the hot path: caps that were reached, and what dead processes left."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from application.ports import Appended, AppendRequest, NewEvent
from domain.kernel.aggregate import stream_id
from domain.kernel.errors import Unavailable
from domain.kernel.request_record import RequestRecorded
from domain.usage.quota import Account, QuotaLimits, Scope, state_of
from infrastructure.quota.counters import QuotaCounters
from infrastructure.quota.notices import Notice, hard_cap_reached, soft_cap_reached
from infrastructure.quota.slices import Slices
from projections.usage.quota_live import QuotaDirectory

log = logging.getLogger(__name__)
LOOK_S = 0.2
CALM_LOOK_S = 1.0
LOOK_AT_ALL_S = 30.0
REAP_S = 10.0
Append = Callable[[AppendRequest], Awaitable[Appended]]


class _Left(msgspec.Struct, frozen=True):
    """Stands for the reservation of a dead process: its hold is to go, its slice goes as a whole."""

    node_id: str
    accounts: tuple[Account, ...] = ()
    written: bool = True


class QuotaWatch:
    """One loop a process; what it does is harmless when several processes do it at once."""

    def __init__(
        self,
        slices: Slices,
        limits: QuotaDirectory,
        counters: QuotaCounters,
        append: Append,
        clock: Callable[[], datetime],
    ) -> None:
        self._slices = slices
        self._limits = limits
        self._counters = counters
        self._append = append
        self._clock = clock
        self.working = asyncio.Lock()
        self._told: set[tuple[str, str, Scope, str]] = set()

    async def run(self) -> None:
        """Watch until cancelled."""
        looked = reaped = seen = float("-inf")
        while True:
            now = time.monotonic()
            try:
                async with self.working:
                    if now - looked >= LOOK_AT_ALL_S:
                        self._notice_all()
                        self._forget_old_months()
                        looked = now
                    if self._slices.noted and (now - seen >= CALM_LOOK_S or self._urgent()):
                        seen = now
                        await self.look()
                    if now - reaped >= REAP_S:
                        await self.reap()
                        reaped = now
            except Unavailable:
                pass  # the database is away; everything is looked at again
            except Exception:
                log.exception("the watch over quotas failed once")
            await asyncio.sleep(LOOK_S)

    def _urgent(self) -> bool:
        """Tell whether a cap may have been reached, by what this process knows."""
        return any(
            account in self._slices.refused or not self._calm(account) for account in self._slices.noted
        )

    def _calm(self, account: Account) -> bool:
        used = self._slices.used.get(account)
        limits = self._limits.limits(account.tenant).get(Scope(account.kind, account.id))
        return limits is None or (used is not None and state_of(limits, account.unit, used, 0) == "ok")

    async def look(self) -> None:
        """Read the use of accounts that changed or refused, and tell of caps that were reached."""
        slices = self._slices
        accounts, slices.noted = slices.noted, set()
        try:
            before = {account: slices.used.get(account, 0) for account in accounts}
            used = await slices.ledger.used(sorted(accounts))
            for account, amount in used.items():
                slices.used[account] = amount + slices.used.get(account, 0) - before[account]
            for account in sorted(accounts):
                await self._check(account, used.get(account, 0))
        except Unavailable:
            slices.noted |= accounts
            raise

    async def reap(self) -> None:
        """Settle what dead processes had under way at its upper bound, then release all they had."""
        ledger = self._slices.ledger
        for node_id in await ledger.dead():
            for tenant, request_id, encoded in await ledger.holds_of(node_id):
                await self._assume(node_id, tenant, request_id, encoded)
            await ledger.bury(node_id)

    async def _assume(self, node_id: str, tenant: str, request_id: str, encoded: bytes) -> None:
        record = msgspec.json.decode(encoded, type=RequestRecorded)
        key = (tenant, request_id)
        self._counters.open.setdefault(key, _Left(node_id))
        try:
            await self._append(
                AppendRequest(
                    tenant=tenant,
                    command_id=request_id,
                    events=(NewEvent(stream_id(tenant, "requests", f"{record.started_at:%Y-%m}"), record),),
                    correlation=request_id,
                    actor=f"key/{record.key_id}",
                )
            )
        finally:
            self._counters.open.pop(key, None)

    async def _check(self, account: Account, used: int) -> None:
        limits = self._limits.limits(account.tenant).get(Scope(account.kind, account.id))
        refused = account in self._slices.refused
        self._slices.refused.discard(account)
        if limits is None:
            return
        soft, limit = limits.soft_point(account.unit), limits.limit(account.unit)
        if soft is not None and used >= soft:
            await self._tell(soft_cap_reached, account, limits, used)
        if limits.hard_cap_enabled and limit is not None and (refused or used >= limit):
            await self._tell(hard_cap_reached, account, limits, used)

    async def _tell(self, decide: Notice, account: Account, limits: QuotaLimits, used: int) -> None:
        key = (decide.__name__, account.tenant, Scope(account.kind, account.id), account.month)
        if key not in self._told:
            await self._append(decide(account, limits, used, self._clock()))
            self._told.add(key)

    def notice(self, tenant: str, scope: Scope) -> None:
        """Have a scope whose limits changed looked at."""
        limits = self._limits.limits(tenant).get(scope)
        month = self._limits.month(tenant, self._clock())
        for unit in limits.units if limits else ():
            self._slices.noted.add(Account(tenant, scope.kind, scope.id, month, unit))

    def _notice_all(self) -> None:
        for tenant, scopes in self._limits.everything().items():
            for scope in scopes:
                self.notice(tenant, scope)

    def _forget_old_months(self) -> None:
        now, used = self._clock(), self._slices.used
        for account in [a for a in used if a.month != self._limits.month(a.tenant, now)]:
            del used[account]
