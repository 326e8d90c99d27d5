"""A tenant's settings of one workflow: whether and when it runs by itself."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from domain.kernel.aggregate import Aggregate
from domain.kernel.errors import InvalidInput
from domain.kernel.events import Event
from domain.workflows.events import WorkflowConfigured

SHORTEST_INTERVAL_S = 60
LONGEST_INTERVAL_S = 31 * 24 * 3600


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """When a workflow runs by itself. Neither interval nor cron: every `interval_s` of its definition."""

    enabled: bool = True
    interval_s: int | None = None
    cron: str | None = None


class Workflow(Aggregate):
    """The consistency boundary of one workflow's settings; its entity id is the workflow's name."""

    KIND: ClassVar[str] = "workflow"

    def initialise(self) -> None:
        """Start as it is built."""
        self.settings = Settings()

    def apply(self, event: Event) -> None:
        """Fold one event."""
        if isinstance(event, WorkflowConfigured):
            self.settings = settings_of(event)

    def configure(self, name: str, settings: Settings, at: datetime) -> None:
        """Change the settings as a whole; the same settings again change nothing.

        Raises InvalidInput for both an interval and a cron text, or an interval outside its bounds.
        """
        if settings.interval_s is not None and settings.cron is not None:
            raise InvalidInput.at("/cron", "give either interval_s or cron; null removes the other")
        interval = settings.interval_s
        if interval is not None and not SHORTEST_INTERVAL_S <= interval <= LONGEST_INTERVAL_S:
            bounds = f"{SHORTEST_INTERVAL_S} to {LONGEST_INTERVAL_S}"
            raise InvalidInput.at("/interval_s", f"give whole seconds from {bounds}, or null")
        if settings != self.settings:
            self.record(
                WorkflowConfigured(
                    workflow=name,
                    enabled=settings.enabled,
                    interval_s=settings.interval_s,
                    cron=settings.cron,
                    configured_at=at,
                ),
                at,
            )


def settings_of(event: WorkflowConfigured) -> Settings:
    """Return the settings that an event put in force."""
    return Settings(enabled=event.enabled, interval_s=event.interval_s, cron=event.cron)
