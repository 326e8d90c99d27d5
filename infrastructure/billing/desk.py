"""Everything of billing that an API process needs, put together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from application.billing.noticing import receive
from application.billing.ports import BillingPorts
from application.billing.previews import Preview, Previews, ledger_at
from application.ports import Clock
from domain.billing.ledger import Ledger
from domain.kernel.aggregate import stream_id
from domain.kernel.errors import Unavailable
from domain.tenancy.tenant import Tenant
from infrastructure.billing.stripe_signature import StripeNotices
from infrastructure.billing.usage_book import ProjectedUsage
from infrastructure.runtime import Runtime
from infrastructure.settings import Settings

Reading = Callable[[str], AbstractAsyncContextManager[AsyncConnection]]


class BillingDesk:
    """Previews, ledgers and the handlers' ports."""

    def __init__(self, settings: Settings, runtime: Runtime, reading: Reading, clock: Clock) -> None:
        self._clock = clock
        secrets = settings.stripe_webhook_secrets
        self._notices = StripeNotices(secrets) if secrets else None
        self.collects = settings.stripe_secret_key is not None
        self._log = runtime.log
        self._previews = Previews(runtime.log, ProjectedUsage(runtime.log, runtime.tail, reading), clock)
        self.ports = BillingPorts(self._tenant_exists)

    async def preview(self, tenant: str, *, at: datetime | None, position: int | None) -> Preview:
        """Preview a period's invoice; see `Previews.preview`."""
        return await self._previews.preview(tenant, at=at, position=position)

    async def ledger(self, tenant: str) -> Ledger:
        """Return a tenant's ledger as it is now."""
        return await ledger_at(self._log, tenant)

    @property
    def takes_notices(self) -> bool:
        """Tell whether notices of the payment system can be checked."""
        return self._notices is not None

    async def receive(self, body: bytes, signature: str) -> bool:
        """Store a signed notice, once. Raises Unauthenticated, InvalidInput, Unavailable."""
        if self._notices is None:
            raise Unavailable("stripe", "no STRIPE_WEBHOOK_SECRET is set, so no notice can be checked")
        return await receive(self._log, self._notices.read(body, signature, self._clock()), "webhook")

    async def _tenant_exists(self, tenant: str) -> bool:
        found = await self._log.load(Tenant, stream_id(tenant, Tenant.KIND, tenant))
        return found.exists
