"""The one module that joins infrastructure to the rest: every process of the product is put together here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any

from litestar import Litestar
from redis.asyncio import Redis

from application.billing.handlers import HANDLERS as BILLING
from application.binding import bind
from application.bus import Bus
from application.memory.erasure_handlers import HANDLERS as ERASURE
from application.memory.handlers import HANDLERS as MEMORY
from application.orchestration.feedback import HANDLERS as FEEDBACK
from application.orchestration.handlers import HANDLERS as ORCHESTRATION
from application.orchestration.ports import OrchestrationPorts
from application.processes.gateway.call import Environment
from application.processes.gateway.gateway import Gateway
from application.tenancy.handlers import HANDLERS as TENANCY
from application.tenancy.ports import TenancyPorts
from application.usage.corrections import HANDLERS as CORRECTIONS
from application.usage.handlers import HANDLERS as USAGE
from application.usage.price_handlers import HANDLERS as PRICES
from application.webhooks.handlers import HANDLERS as WEBHOOKS
from application.workflows.handlers import HANDLERS as WORKFLOWS
from application.workflows.ports import WorkflowPorts
from domain.kernel.errors import Unavailable
from domain.kernel.request_record import Attempt
from domain.memory.policy import PolicyBook
from domain.orchestration.catalogue import Target
from domain.registry import event_registry
from domain.tenancy.principal import Principal
from infrastructure import secret_files
from infrastructure.billing.desk import BillingDesk
from infrastructure.embedded.local_model import LocalModel
from infrastructure.embeddings.configured import gateway_embeddings
from infrastructure.event_store.live import LiveState
from infrastructure.idempotency import PostgresIdempotencyStore
from infrastructure.jobs.timetables import cron_problem, timetable_of
from infrastructure.live_routing import LiveRouting, feedback_ports
from infrastructure.memory.live import LiveMemory
from infrastructure.operations import commands as operations
from infrastructure.operations.admin_key import register_admin_key
from infrastructure.operations.administration import Administration
from infrastructure.operations.administration import administration as _administration
from infrastructure.operations.demo import load_demo as _load_demo
from infrastructure.operations.readiness import readiness_probes
from infrastructure.pii import LivePii
from infrastructure.providers.configured import configured_providers, local_model_name
from infrastructure.providers.egress import normalise_base_url
from infrastructure.providers.http import HttpUpstream
from infrastructure.providers.local import WithLocalModel
from infrastructure.providers.local_embeddings import WithEmbeddingModel
from infrastructure.quota.quotas import ProcessQuotas
from infrastructure.reading import ReadSide
from infrastructure.runtime import Endpoints, Runtime
from infrastructure.runtime import endpoints as open_endpoints
from infrastructure.settings import Settings
from infrastructure.telemetry import logging as telemetry
from infrastructure.telemetry.metrics import Metrics
from infrastructure.telemetry.request_log import SILENT, RequestLog
from infrastructure.web_build import destination
from infrastructure.webhooks.ports import webhook_ports
from interfaces.http.app import create_app
from interfaces.http.server import listen, serve
from interfaces.http.services import Services
from interfaces.http.tracing import Served
from projections.orchestration import live as orchestration_live
from projections.registry import PROJECTIONS
from projections.scope import tenant_connection
from projections.tenancy import live as tenancy_live
from projections.wait import ProjectionWaiter

VERSION = version("artisan-aios")
CONTROL_TYPES: Sequence[str] = (
    *tenancy_live.TYPES, *orchestration_live.TYPES,
    *ProcessQuotas.TYPES, *LiveRouting.TYPES, *LiveMemory.TYPES,
)  # fmt: skip


def configure_logging(settings: Settings) -> RequestLog:
    """Send JSON lines to stderr and to the data directory's log."""
    return telemetry.configure(settings.log_level, settings.data_dir / "logs" / "app.log")


def run_api(settings: Settings, fd: int | None) -> None:
    """Serve the API until told to stop, on an inherited socket or on one of its own."""
    request_log = configure_logging(settings)
    where = open_endpoints(settings, lambda _line: None)
    asyncio.run(operations.upkeep.require_redone(settings, where))

    def application() -> Litestar:
        return Api(settings, where, request_log).app

    if fd is not None:
        serve(application, fd=fd)
    else:
        serve(application, sock=listen(settings.host, settings.port))


def administration(settings: Settings, where: Endpoints) -> AbstractAsyncContextManager[Administration]:
    """Open what a few commands of an operator need."""
    return _administration(settings, where, CONTROL_TYPES)


def load_demo(settings: Settings, where: Endpoints) -> Coroutine[Any, Any, dict[str, Any]]:
    """Fill the tenant `demo`."""
    return _load_demo(settings, where, CONTROL_TYPES)


def clock() -> datetime:
    """Return the present time, UTC."""
    return datetime.now(UTC)


class Api:
    """One API process. Make it inside the event loop that serves it."""

    def __init__(self, settings: Settings, where: Endpoints, request_log: RequestLog = SILENT) -> None:
        self.settings = settings
        self._request_log = request_log
        self.metrics = Metrics()
        self.runtime = Runtime(
            settings, where, event_registry(), name="api", control_types=CONTROL_TYPES,
            observe_commit=self._observe_commit,
        )  # fmt: skip
        self.keys = tenancy_live.KeyDirectory()
        self.policies = orchestration_live.PolicyDirectory()
        builtins = configured_providers(settings)
        self.providers = orchestration_live.ProviderDirectory(builtins.connections, builtins.missing)
        self.quotas = ProcessQuotas(self.runtime, clock)
        default = Target(settings.ai_provider, settings.ai_model or local_model_name(settings))
        self.routing = LiveRouting(
            settings, self.policies, self.providers,
            default=default, clock=clock, contracts=self.quotas.contracts,
        )  # fmt: skip
        app_engine = self.runtime.engine(where.app_dsn)
        self.reading = partial(tenant_connection, app_engine)
        self.pii = LivePii(self.runtime, self.reading, self._barrier, clock, self._memory_book)
        self.memory = LiveMemory(settings, self.runtime, self.reading, clock, self.metrics, self.pii)
        self.live = self._live()
        self.reads = ReadSide(
            ProjectionWaiter(app_engine, [p.name for p in PROJECTIONS]), self.live, self.runtime.log.head
        )
        self.billing = BillingDesk(settings, self.runtime, self.reading, clock)
        self.bus = Bus(self._handlers(), self.runtime.log, clock, self.reads)
        self.local_model = LocalModel(settings.data_dir, model=settings.local_model)
        self.embeddings = gateway_embeddings(settings, self.memory.embedder)
        providers = WithLocalModel(HttpUpstream(), self.local_model.endpoint)
        self.upstream = WithEmbeddingModel(providers, self.embeddings)
        self.gateway = self._gateway(default)
        self.memory.extract_with(self.gateway, self.bus, f"local/{local_model_name(settings)}")
        self._redis: Redis = Redis.from_url(where.redis_url)
        self.app = self._app()

    def _live(self) -> LiveState:
        folds = [
            self.keys.apply,
            self.policies.apply,
            self.providers.apply,
            self.quotas.apply,
            self.routing.credentials.apply,
            self.memory.apply,
        ]
        return LiveState(self.runtime.reader, self.runtime.control_doorbell, CONTROL_TYPES, folds)

    def _handlers(self) -> Mapping[Any, Any]:
        private = self.settings.egress == "private"
        secrets = secret_files.DerivedSecrets(self.runtime.kms.derive("api-keys"))
        orchestration = OrchestrationPorts(self.providers, partial(normalise_base_url, allow_private=private))
        return {
            **bind(TENANCY, TenancyPorts(secrets)),
            **bind(ORCHESTRATION, orchestration),
            **bind(FEEDBACK, feedback_ports(self.reading, self.reads.barrier)),
            **self.pii.handlers,
            **bind(MEMORY, self.memory.ports),
            **bind(ERASURE, self.memory.governance.ports),
            **bind(BILLING, self.billing.ports),
            **bind({**USAGE, **PRICES, **CORRECTIONS}, self.quotas.ports(self.reading, self.reads.barrier)),
            **bind(WEBHOOKS, webhook_ports(self.settings, secrets)),
            **bind(WORKFLOWS, WorkflowPorts(cron_problem)),
        }

    def _gateway(self, default: Target) -> Gateway:
        return Gateway(
            Environment(
                directory=self.routing.directory,
                prices=self.routing.prices,
                health=self.routing.health,
                append=self.runtime.committer.append,
                subject_reference=self.runtime.keyring.subject_reference,
                observe=self._observe_attempt,
                ready=self._require_fresh,
                default_target=default,
                default_temperature=self.settings.ai_temperature,
            ),
            self.upstream,
            self.quotas.admission(self.routing.prices),
            self.pii.scrubs,
        )

    def _app(self) -> Litestar:
        derive = self.runtime.kms.derive
        services = Services(
            version=VERSION,
            clock=clock,
            bus=self.bus,
            gateway=self.gateway,
            authenticate=self._authenticate,
            principal_of=self._principal_of,
            session_secret=derive("console-sessions"),
            idempotency=PostgresIdempotencyStore(self.runtime.app_pool, derive("idempotent-answers")),
            probes=readiness_probes(self.runtime.log.head, self._redis, self.live, self.reads.waiter),
            reading=self.reading,
            read_barrier=self.reads.barrier,
            connections=self.providers.connections,
            list_events=self.runtime.listing,
            timetable_of=timetable_of,
            quotas=self.quotas,
            memory=self.memory,
            governance=self.memory.governance,
            billing=self.billing,
            prices_of=self.routing.prices.prices,
            simulator=self.routing.simulator,
            target_status=self.routing.health.status,
            refusal=self.routing.credentials.refusal,
            connection_tester=self.routing.tester(self.local_model.endpoint),
            observe_request=self._observe_request,
            render_metrics=self.metrics.render,
            web_dist=destination(),
        )
        return create_app(services, lifespan=[self._lifespan])

    @asynccontextmanager
    async def _lifespan(self, _app: Litestar) -> AsyncIterator[None]:
        await self.runtime.open(control=True)
        await self.live.start()
        await self.reads.waiter.start()
        await self.quotas.start()
        self.memory.start(self.reads.waiter)
        await self.routing.start(self.runtime)
        await register_admin_key(self.keys, self.bus, secret_files.admin_key(self.settings), clock())
        try:
            yield
        finally:
            await self.gateway.aclose()
            await self.upstream.aclose()
            await self.quotas.close()
            await self.memory.close()
            await self.embeddings.aclose()
            await self.routing.close()
            await self.reads.waiter.close()
            await self.live.close()
            await self._redis.aclose()
            await self.runtime.close()
            await asyncio.to_thread(self.local_model.release)

    def _memory_book(self, tenant: str) -> PolicyBook:
        return self.memory.book(tenant)

    async def _barrier(self) -> None:
        await self.reads.barrier()

    def _authenticate(self, key: str) -> Principal:
        self._require_fresh()
        return self.keys.authenticate(key, clock())

    def _principal_of(self, tenant: str, key_id: str) -> Principal:
        self._require_fresh()
        return self.keys.principal_of(tenant, key_id, clock())

    def _require_fresh(self) -> None:
        if not self.live.fresh:
            raise Unavailable("database", "the event log cannot be reached; nothing is served unmetered", 1.0)

    def _observe_commit(self, commands: int, seconds: float) -> None:
        self.metrics.observe_append_batch(commands)
        self.metrics.observe_append(seconds)

    def _observe_request(self, served: Served) -> None:
        told = (served.method, served.route, served.status, served.seconds)
        self.metrics.observe_request(*told)
        self._request_log.report(
            *told, tenant=served.tenant, request_id=served.request_id, quiet=served.quiet
        )

    def _observe_attempt(self, tenant: str, attempt: Attempt) -> None:
        self.routing.credentials.observe(tenant, attempt)
        self.metrics.observe_attempt(attempt.provider, attempt.outcome)


__all__ = ["Api", "administration", "clock", "configure_logging", "load_demo", "operations", "run_api"]
