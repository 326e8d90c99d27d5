"""What an operator does from the command line with the same commands, rules and events as over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

from application.binding import bind
from application.bus import Bus, Caller, Command, Outcome
from application.orchestration.handlers import HANDLERS as ORCHESTRATION
from application.orchestration.ports import OrchestrationPorts
from application.tenancy.handlers import HANDLERS as TENANCY
from application.tenancy.ports import TenancyPorts
from domain.registry import event_registry
from infrastructure.event_store.live import LiveState
from infrastructure.providers.configured import configured_providers
from infrastructure.providers.egress import normalise_base_url
from infrastructure.reading import ADMINISTRATION
from infrastructure.runtime import Endpoints, Runtime
from infrastructure.secret_files import DerivedSecrets
from infrastructure.settings import Settings
from projections.orchestration.live import ProviderDirectory
from projections.scope import tenant_connection
from projections.wait import ProjectionWaiter


class Administration:
    """Dispatches commands as the operator of this machine, and reads what they changed."""

    def __init__(self, settings: Settings, runtime: Runtime, control_types: Sequence[str]) -> None:
        self.runtime = runtime
        self._engine = runtime.engine(runtime.where.app_dsn)
        builtins = configured_providers(settings)
        providers = ProviderDirectory(builtins.connections, builtins.missing)
        self._live = LiveState(runtime.reader, runtime.control_doorbell, control_types, [providers.apply])
        self._waiter = ProjectionWaiter(self._engine, ADMINISTRATION)
        tenancy = TenancyPorts(DerivedSecrets(runtime.kms.derive("api-keys")))
        private = settings.egress == "private"
        orchestration = OrchestrationPorts(providers, partial(normalise_base_url, allow_private=private))
        handlers = {**bind(TENANCY, tenancy), **bind(ORCHESTRATION, orchestration)}
        self._bus = Bus(handlers, runtime.log, lambda: datetime.now(UTC), self)

    async def open(self) -> None:
        """Listen to read models, and learn which providers there are."""
        await self._waiter.start()
        await self._live.everywhere(0)

    async def close(self) -> None:
        """Stop listening."""
        await self._waiter.close()

    async def caught_up(self, position: int, projections: Sequence[str] = (), timeout_s: float = 2.0) -> bool:
        """Wait for read models; see application.ports.ReadModels."""
        return await self._waiter.caught_up(position, projections, timeout_s)

    async def everywhere(self, position: int, timeout_s: float = 5.0) -> bool:
        """Wait for the API processes; see application.ports.ReadModels."""
        return await self._live.everywhere(position, timeout_s)

    async def dispatch(self, command: Command, tenant: str, *, command_id: str | None = None) -> Outcome:
        """Carry out a command in a tenant, with every role that commands on this machine need.

        A command id that was used before makes the command change nothing.
        """
        caller = Caller(
            tenant=tenant,
            actor="system/cli",
            roles=frozenset({"admin", "platform"}),
            correlation=f"cli-{uuid4().hex}",
            command_id=command_id or uuid4().hex,
        )
        return await self._bus.dispatch(command, caller)

    def reading(self, tenant: str) -> Any:
        """Lend a connection that sees only this tenant's read models."""
        return tenant_connection(self._engine, tenant)


@asynccontextmanager
async def administration(
    settings: Settings, where: Endpoints, control_types: Sequence[str]
) -> AsyncIterator[Administration]:
    """Open the log and the read models for a few commands."""
    runtime = Runtime(settings, where, event_registry(), name="cli", control_types=control_types)
    await runtime.open()
    try:
        opened = Administration(settings, runtime, control_types)
        await opened.open()
        try:
            yield opened
        finally:
            await opened.close()
    finally:
        await runtime.close()
