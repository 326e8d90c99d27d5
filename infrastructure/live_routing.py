"""Everything a routing decision looks at, put together for one API process and kept up to date."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncConnection

from application.orchestration import credentials
from application.orchestration.credentials import CredentialAlerts, CredentialWatch
from application.orchestration.directory import LiveDirectory
from application.orchestration.feedback import FeedbackPorts, RatedRequest
from application.orchestration.health import TargetHealth
from application.orchestration.health_recording import HealthRecorder
from application.orchestration.measures import LiveMeasures
from application.orchestration.specs import ProviderSpecs
from application.ports import Clock
from application.processes.pricing import TenantPrices
from application.processes.simulation import Simulator
from application.usage.ports import Contracts
from application.usage.pricer import Pricer
from domain.orchestration.catalogue import Target
from infrastructure.health.exchange import HealthExchange
from infrastructure.health.learning import Learning
from infrastructure.pricing.book import PackagedPriceBook
from infrastructure.pricing.importing import import_price_book
from infrastructure.providers.connection_tester import ConnectionTester
from infrastructure.providers.local import Endpoint
from infrastructure.runtime import Runtime
from infrastructure.settings import Settings
from projections.orchestration.live import PolicyDirectory, ProviderDirectory
from projections.usage.request_queries import request_record

REDIS_TIMEOUT_S = 1.0
Reading = Callable[[str], AbstractAsyncContextManager[AsyncConnection]]


class LiveRouting:
    """Prices, health, ratings and results beside policies and providers; all of it answers from memory.

    It folds the events of TYPES.
    """

    TYPES = credentials.TYPES

    def __init__(
        self,
        settings: Settings,
        policies: PolicyDirectory,
        providers: ProviderDirectory,
        *,
        default: Target,
        clock: Clock,
        contracts: Contracts | None = None,
    ) -> None:
        self._policies = policies
        self._providers = providers
        self._clock = clock
        self._tasks: tuple[HealthExchange, Learning] | None = None
        self._allow_private = settings.egress == "private"
        specs = ProviderSpecs(allow_private=self._allow_private)
        self._editions = settings.data_dir / "cache"
        book = PackagedPriceBook.open(self._editions)
        self.prices = TenantPrices(providers, Pricer(book, contracts))
        self.health = TargetHealth(self._credential_of, time.time)
        self.credentials = CredentialWatch(self._credential_of)
        self.measures = LiveMeasures(
            self.health.first_content, lambda tenant: self.prices.rates(tenant, clock())
        )
        self.directory = LiveDirectory(policies, providers, specs, self.measures)
        self.simulator = Simulator(self.directory, self.prices, default, self.health.typical_ms)

    def tester(self, local: Endpoint) -> ConnectionTester:
        """Return what tests connections; `local` tells where the embedded model listens."""
        return ConnectionTester(local, allow_private=self._allow_private)

    async def start(self, runtime: Runtime) -> None:
        """Bring the prices into the log, and begin to exchange health with other processes and to learn."""
        await import_price_book(runtime.log, self._editions, self._clock())
        system = runtime.engine(runtime.where.system_dsn, size=1)
        redis: Redis = Redis.from_url(
            runtime.where.redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
        )
        alerts = CredentialAlerts(self.credentials, runtime.log, self._clock)
        recorder = HealthRecorder(runtime.log, self._clock)
        exchange = HealthExchange(self.health, redis, recorder, [alerts.record])
        learning = Learning(self.measures, system, self._policies.everywhere, self._clock)
        self._tasks = exchange, learning
        for task in self._tasks:
            task.start()

    async def close(self) -> None:
        """Stop, after telling the other processes what was seen last."""
        for task in self._tasks or ():
            await task.close()

    def _credential_of(self, tenant: str, provider: str) -> str:
        connection = self._providers.connection(tenant, provider)
        return connection.credential_id if connection else ""


def feedback_ports(reading: Reading, barrier: Callable[[], Awaitable[None]]) -> FeedbackPorts:
    """Return what feedback needs: requests by id, as new as every one that had ended."""

    async def find(tenant: str, request_id: str) -> RatedRequest | None:
        await barrier()
        async with reading(tenant) as conn:
            found = await request_record(conn, request_id)
        if found is None:
            return None
        return RatedRequest(
            workspace=found.workspace,
            provider=found.provider,
            model=found.model,
            segment=found.segment,
            experiment=found.decision.experiment,
            arm=found.decision.arm,
            subject=found.subject,
        )

    return FeedbackPorts(requests=find)
