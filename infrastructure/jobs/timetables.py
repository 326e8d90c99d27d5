"""When a workflow is due under its settings: an interval's grid, or a cron text read by `cronsim`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from domain.workflows.catalogue import WorkflowDefinition
from domain.workflows.schedule import Every, Timetable
from domain.workflows.workflow import Settings

_FIELDS = 5
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class Cron:
    """The slots of a cron text with five fields, in UTC. Raises CronSimError for an unusable text."""

    def __init__(self, text: str) -> None:
        CronSim(text, _ANY_TIME)
        self._text = text

    def newest(self, at: datetime) -> datetime:
        """Return the last slot that is not after `at`."""
        minute = at.replace(second=0, microsecond=0)
        found: datetime = next(CronSim(self._text, minute + timedelta(minutes=1), reverse=True))
        return found

    def after(self, at: datetime) -> datetime:
        """Return the first slot after `at`."""
        found: datetime = next(CronSim(self._text, at))
        return found


def cron_problem(text: str) -> str | None:
    """Return why a cron text is unusable, None when it is usable."""
    if len(text.split()) != _FIELDS:
        return f"'{text}' does not have five fields"
    try:
        cron = Cron(text)
        cron.after(_ANY_TIME)
    except (CronSimError, StopIteration) as error:
        return f"'{text}' cannot be read as cron: {str(error) or 'it never comes'}"
    return None


def timetable_of(definition: WorkflowDefinition, settings: Settings) -> Timetable:
    """Return when a workflow is due."""
    if settings.cron is not None:
        return Cron(settings.cron)
    return Every(settings.interval_s or definition.interval_s)
