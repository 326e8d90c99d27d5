"""What a client may ask of workflows."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from application.bus import Command
from domain.workflows.workflow import LONGEST_INTERVAL_S, SHORTEST_INTERVAL_S

Name = Annotated[str, Meta(min_length=1, max_length=63, description="As GET /workflows lists it")]
Interval = Annotated[
    int,
    Meta(ge=SHORTEST_INTERVAL_S, le=LONGEST_INTERVAL_S, description="Seconds between two runs, UTC grid"),
]
CronText = Annotated[
    str, Meta(min_length=9, max_length=120, description="Five fields of cron, in UTC", examples=["0 3 * * *"])
]


class WorkflowChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings to change; what is left off stays.

    Setting `interval_s` ends a `cron` text and the other way round; null goes back to the interval the
    workflow is built with.
    """

    enabled: bool | UnsetType = UNSET
    interval_s: Interval | UnsetType | None = UNSET
    cron: CronText | UnsetType | None = UNSET


class ChangeWorkflow(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change when a workflow runs by itself (roles admin, operator); answers WorkflowSettings."""

    name: Name
    change: WorkflowChange


class RunWorkflow(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Run a workflow now, enabled or not (roles admin, operator); answers RunAccepted.

    A run that is asked for while another one is going ends `skipped`.
    """

    name: Name
