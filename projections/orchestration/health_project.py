"""Folds changes of health into the newest one of each model."""

from __future__ import annotations

from collections.abc import Iterable

from domain.kernel.events import Envelope
from domain.orchestration.health_events import ModelHealthChanged
from projections.ops import RowOp, Upsert
from projections.orchestration.health_tables import model_health
from projections.projection import Projection


def model_health_changed(envelope: Envelope[ModelHealthChanged]) -> Iterable[RowOp]:
    """Keep the newest change."""
    event = envelope.event
    yield Upsert(
        model_health,
        {
            "tenant": envelope.tenant,
            "provider": event.provider,
            "model": event.model,
            "status": event.status,
            "previous": event.previous,
            "reason": event.reason,
            "changed_at": event.changed_at,
            "position": envelope.position,
        },
    )


MODEL_HEALTH = Projection(
    name="model_health",
    version=1,
    tables=(model_health,),
    handlers={ModelHealthChanged: model_health_changed},
)
