"""Folds policy events into one row a version."""

from __future__ import annotations

from collections.abc import Iterable

from domain.kernel.events import Envelope
from domain.orchestration.events import ModelPolicySet
from projections.ops import Insert, RowOp
from projections.orchestration.tables import model_policies
from projections.projection import Projection


def model_policy_set(envelope: Envelope[ModelPolicySet]) -> Iterable[RowOp]:
    """Keep the version."""
    event = envelope.event
    yield Insert(
        model_policies,
        {
            "tenant": envelope.tenant,
            "workspace_id": event.workspace_id,
            "version": event.version,
            "set_by": envelope.actor,
            "set_at": event.set_at,
            "position": envelope.position,
            "policy": event.policy,
        },
    )


MODEL_POLICIES = Projection(
    name="model_policies",
    version=1,
    tables=(model_policies,),
    handlers={ModelPolicySet: model_policy_set},
)
