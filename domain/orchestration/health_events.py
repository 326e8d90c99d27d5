"""What happens to the health of models; only changes are events."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from domain.kernel.events import Event

HealthStatus = Literal["healthy", "degraded", "unhealthy", "throttled", "unknown"]


class ModelHealthChanged(Event, frozen=True, kw_only=True):
    """A model's health was judged to be another than before, on what its tenant's requests met.

    `requests` counts the attempts that say something about the provider, in the last `window_s` seconds.
    """

    TYPE: ClassVar[str] = "orchestration.model_health_changed"

    provider: str
    model: str
    previous: HealthStatus
    status: HealthStatus
    reason: str
    changed_at: datetime
    window_s: int
    requests: int
    error_rate: float | None
    p95_latency_ms: float | None


EVENTS: tuple[type[Event], ...] = (ModelHealthChanged,)
