"""Quotas of one API process, put together: limits in memory, reservations, and the watch over both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from application.processes.gateway.quota_admission import QuotaAdmission
from application.processes.gateway.quota_ports import CostBounds
from application.usage.ports import UsagePorts
from domain.kernel.events import Envelope
from domain.kernel.usage_correction import UsageCorrected
from domain.usage.quota import Scope, scopes_of
from infrastructure.quota.records import Barrier, Reading, record_finder
from infrastructure.quota.service import QuotaService, cancelled_between
from infrastructure.quota.watch import QuotaWatch
from infrastructure.runtime import Runtime
from projections.usage import price_live, quota_live
from projections.usage.price_live import ContractPrices
from projections.usage.quota_live import QuotaDirectory


class ProcessQuotas:
    """Make it inside the event loop; `apply` control events of TYPES, then `start` it."""

    TYPES: ClassVar[tuple[str, ...]] = (*quota_live.TYPES, *price_live.TYPES, UsageCorrected.TYPE)

    def __init__(self, runtime: Runtime, clock: Callable[[], datetime]) -> None:
        self.directory = QuotaDirectory(self._changed)
        self.contracts = ContractPrices()
        self._subject_reference = runtime.keyring.subject_reference
        counters = runtime.quota_counters
        self.service = QuotaService(runtime.system_pool, runtime.where.system_dsn, counters)
        self.watch = QuotaWatch(
            self.service.slices, self.directory, counters, runtime.committer.append, clock
        )
        self._log = runtime.log
        self._clock = clock
        self._watching: asyncio.Task[None] | None = None

    def apply(self, envelope: Envelope[Any]) -> None:
        """Fold one control event: limits, contract prices, and what makes counters jump."""
        self.directory.apply(envelope)
        self.contracts.apply(envelope)
        event = envelope.event
        if isinstance(event, UsageCorrected):
            for scope in scopes_of(event.workspace, event.key_id, event.segment, event.subject):
                self._changed(envelope.tenant, scope)

    def admission(self, prices: CostBounds) -> QuotaAdmission:
        """Return what the gateway asks before each request."""
        return QuotaAdmission(self.directory, self.service, prices, self.subject_reference)

    def ports(self, reading: Reading, barrier: Barrier) -> UsagePorts:
        """Return what usage's handlers need."""
        return UsagePorts(self.subject_reference, record_finder(self._log, reading, barrier))

    def subject_reference(self, tenant: str, user: str, /) -> str:
        """Return the pseudonym of a user."""
        return self._subject_reference(tenant, user)

    async def tell(self) -> None:
        """Write down what this process holds. Raises Unavailable."""
        await asyncio.shield(self.service.tell())

    async def start(self) -> None:
        """Begin to listen, to report and to watch."""
        await self.service.start()
        self._watching = asyncio.create_task(self.watch.run(), name="quota-watch")

    async def close(self) -> None:
        """Give everything back, when no request is under way any more."""
        if self._watching:
            await cancelled_between(self.watch.working, [self._watching])
        await self.service.close()

    def _changed(self, tenant: str, scope: Scope) -> None:
        self.service.limits_changed(tenant, scope.kind, scope.id)
        self.watch.notice(tenant, scope)
