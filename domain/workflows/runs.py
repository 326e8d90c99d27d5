"""The identity of runs: made from what caused them, so that a repeated cause is the same run."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

from domain.kernel.aggregate import stream_id

_RUNS = UUID("5f0c6f5e-6a0e-5d1b-9f43-6a3c1c1f2b7d")


def run_of_slot(tenant: str, workflow: str, slot: datetime) -> str:
    """Return the id of the run that a slot of a tenant's schedule causes."""
    return f"run_{uuid5(_RUNS, f'{tenant}/{workflow}/slot/{slot.isoformat()}').hex}"


def run_of_request(tenant: str, workflow: str, command_id: str) -> str:
    """Return the id of the run that a client's command causes."""
    return f"run_{uuid5(_RUNS, f'{tenant}/{workflow}/command/{command_id}').hex}"


def run_stream(tenant: str, run_id: str) -> str:
    """Return the plain stream that holds a run's events."""
    return stream_id(tenant, "workflow-run", run_id)
