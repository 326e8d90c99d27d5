"""What the commands of workflows answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec


class WorkflowSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow's settings in force; `interval_s` is None when a cron text rules."""

    name: str
    enabled: bool
    interval_s: int | None
    cron: str | None


class RunAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a worker will perform; `GET /workflows/runs` follows it by its `run_id`."""

    run_id: str
    workflow: str
    requested_at: datetime
    status: Literal["queued"] = "queued"
