"""The policy of one workspace and its versions."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.kernel.aggregate import Aggregate
from domain.kernel.errors import InvalidInput
from domain.kernel.events import Event
from domain.kernel.names import workspace_id_errors
from domain.orchestration.events import ModelPolicySet
from domain.orchestration.policy import Policy
from domain.orchestration.policy_check import check_policy


class ModelPolicy(Aggregate):
    """The consistency boundary of a workspace's policy; its entity id is the workspace's."""

    KIND: ClassVar[str] = "model-policy"

    number: int
    policy: Policy | None
    set_at: datetime | None

    def initialise(self) -> None:
        """Start before the first version."""
        self.number = 0
        self.policy = None
        self.set_at = None

    def apply(self, event: Event) -> None:
        """Fold one event."""
        if isinstance(event, ModelPolicySet):
            self.number, self.policy, self.set_at = event.version, event.policy, event.set_at

    def set(self, workspace_id: str, policy: Policy, at: datetime) -> None:
        """Make the next version. Raises InvalidInput that names every unusable field."""
        errors = workspace_id_errors(workspace_id)
        if errors:
            raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}", errors)
        check_policy(policy)
        self.record(
            ModelPolicySet(workspace_id=workspace_id, version=self.number + 1, set_at=at, policy=policy), at
        )
