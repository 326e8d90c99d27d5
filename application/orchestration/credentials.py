"""Watches whether providers take our credentials, and raises one alert when one begins to be refused.

The state is that of the log: every process folds its events, so all know of a refusal that one met, also
after a restart. Attempts are only compared with it; what differs is recorded by a background task.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import structlog

from application.bus import Caller, Work
from application.ports import Clock, EventLog
from domain.kernel.errors import VersionConflict
from domain.kernel.events import Envelope
from domain.kernel.request_record import Attempt
from domain.orchestration.credential import ProviderCredential, refuses_credential
from domain.orchestration.credential_events import (
    EVENTS,
    ProviderCredentialAccepted,
    ProviderCredentialRefused,
)

TYPES = tuple(event.TYPE for event in EVENTS)
log = structlog.get_logger("credentials")


class CredentialWatch:
    """The refused credentials of one process; `credential_of(tenant, provider)` is the one in use."""

    def __init__(self, credential_of: Callable[[str, str], str]) -> None:
        self._credential_of = credential_of
        self._refused: dict[tuple[str, str], ProviderCredentialRefused] = {}
        self._noticed: dict[tuple[str, str], Attempt] = {}

    def apply(self, envelope: Envelope[Any]) -> None:
        """Fold one event; events of other types change nothing."""
        event = envelope.event
        if isinstance(event, ProviderCredentialRefused):
            self._refused[envelope.tenant, event.provider] = event
        elif isinstance(event, ProviderCredentialAccepted):
            self._refused.pop((envelope.tenant, event.provider), None)

    def observe(self, tenant: str, attempt: Attempt) -> None:
        """Compare an ended attempt with what is known; most say nothing new."""
        refused = attempt.outcome != "ok" and refuses_credential(attempt)
        if not refused and (attempt.outcome != "ok" or not self._refused):
            return
        key = (tenant, attempt.provider)
        known = self._refused.get(key)
        if refused != (known is not None and known.credential == attempt.credential):
            self._noticed[key] = attempt

    def refusal(self, tenant: str, provider: str) -> ProviderCredentialRefused | None:
        """Return the refusal of the credential that is in use now; None when it is taken or not known."""
        known = self._refused.get((tenant, provider))
        if known is None or known.credential != self._credential_of(tenant, provider):
            return None
        return known

    def noticed(self) -> list[tuple[str, Attempt]]:
        """Return the attempts since the last call that met something new, with their tenants."""
        found, self._noticed = self._noticed, {}
        return [(tenant, attempt) for (tenant, _), attempt in found.items()]


class CredentialAlerts:
    """Records what a watch noticed, once however many requests and processes met it."""

    def __init__(self, watch: CredentialWatch, store: EventLog, clock: Clock) -> None:
        self._watch = watch
        self._store = store
        self._clock = clock

    async def record(self) -> None:
        """Store what is new as events. Raises Unavailable."""
        for tenant, attempt in self._watch.noticed():
            await self._record(tenant, attempt)

    async def _record(self, tenant: str, attempt: Attempt) -> None:
        now = self._clock()
        caller = Caller(
            tenant=tenant,
            actor="system/gateway",
            roles=frozenset(),
            correlation="credential",
            command_id=uuid4().hex,
        )
        work = Work(self._store, caller, now)
        credential = await work.load(ProviderCredential, attempt.provider)
        if not credential.judge(attempt, now):
            return
        try:
            await work.save(credential)
        except VersionConflict:  # another process met the same and was first
            return
        if refuses_credential(attempt):
            log.warning(
                "a provider refuses our credential",
                tenant=tenant,
                provider=attempt.provider,
                status=attempt.status,
            )
