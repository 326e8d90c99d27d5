"""Which schedules there are: each tenant's workflows under its settings, kept in memory from the log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from cronsim import CronSimError

from domain.kernel.events import Envelope
from domain.kernel.names import DEFAULT_TENANT
from domain.tenancy.events import TenantCreated
from domain.workflows.catalogue import WorkflowDefinition
from domain.workflows.events import WorkflowConfigured
from domain.workflows.schedule import Timetable
from domain.workflows.workflow import Settings, settings_of
from infrastructure.event_store.tail import Tail
from infrastructure.jobs.timetables import timetable_of

TYPES = (TenantCreated.TYPE, WorkflowConfigured.TYPE)
BATCH = 1000
logger = logging.getLogger(__name__)


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow of one tenant that is enabled. Slots before `since` are not made up for."""

    tenant: str
    definition: WorkflowDefinition
    timetable: Timetable
    since: datetime | None

    @property
    def key(self) -> str:
        """Return the schedule's name in the ledger."""
        return f"{self.tenant}/{self.definition.name}"


class Plans:
    """Folds tenants and settings; `version` grows with each change."""

    def __init__(self, tail: Tail, catalogue: Mapping[str, WorkflowDefinition]) -> None:
        self._tail = tail
        self._catalogue = catalogue
        self._tenants: dict[str, None] = {}
        self._settings: dict[tuple[str, str], tuple[Settings, datetime]] = {}
        self._position = 0
        self._schedules: list[Schedule] | None = None
        self.version = 0

    async def catch_up(self) -> None:
        """Fold what is new in the log. Raises Unavailable when it cannot be read."""
        while True:
            batch = await self._tail.read_batch(self._position, BATCH, TYPES)
            for envelope in batch.events:
                self._fold(envelope)
            self._position = batch.upto
            if batch.upto >= batch.head:
                return

    def schedules(self) -> list[Schedule]:
        """Return what is enabled now."""
        if self._schedules is None:
            found = (
                self._schedule(tenant, definition)
                for definition in self._catalogue.values()
                for tenant in (self._tenants if definition.scope == "tenant" else (DEFAULT_TENANT,))
            )
            self._schedules = [schedule for schedule in found if schedule]
        return self._schedules

    def _schedule(self, tenant: str, definition: WorkflowDefinition) -> Schedule | None:
        settings, since = self._settings.get((tenant, definition.name), (Settings(), None))
        if not settings.enabled:
            return None
        try:
            timetable = timetable_of(definition, settings)
        except CronSimError:
            logger.exception("the schedule of %s for tenant %s cannot be read", definition.name, tenant)
            return None
        return Schedule(tenant=tenant, definition=definition, timetable=timetable, since=since)

    def _fold(self, envelope: Envelope[Any]) -> None:
        match envelope.event:
            case TenantCreated() as created:
                self._tenants[created.tenant_id] = None
            case WorkflowConfigured() as event:
                key = (envelope.tenant, event.workflow)
                self._settings[key] = (settings_of(event), event.configured_at)
            case _:
                return
        self._schedules = None
        self.version += 1
