"""A plan and its versions."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from domain.billing.events import PlanPublished
from domain.billing.plan import AT_COST, PlanTerms, check_plan
from domain.kernel.aggregate import Aggregate
from domain.kernel.errors import NotFound
from domain.kernel.events import Event


class BillingPlan(Aggregate):
    """The consistency boundary of one plan; its entity id is the plan's id."""

    KIND: ClassVar[str] = "billing-plan"

    terms: PlanTerms | None
    offered_to: str | None

    def initialise(self) -> None:
        """Start unpublished; the built-in plan is there from the start."""
        self.terms = None
        self.offered_to = None
        if self.id.endswith(f"/{AT_COST.plan_id}"):
            self.terms = AT_COST

    def apply(self, event: Event) -> None:
        """Fold one event."""
        if isinstance(event, PlanPublished):
            self.terms, self.offered_to = event.terms, event.offered_to

    def publish(self, terms: PlanTerms, offered_to: str | None, at: datetime) -> None:
        """Publish the plan's next version. Raises InvalidInput that names every unusable field."""
        check_plan(terms)
        version = self.terms.version + 1 if self.terms else 1
        numbered = msgspec.structs.replace(terms, version=version)
        self.record(PlanPublished(terms=numbered, published_at=at, offered_to=offered_to), at)

    def terms_for(self, tenant: str, plan_id: str) -> PlanTerms:
        """Return the newest version. Raises NotFound when there is none that the tenant may take."""
        if self.terms is None or self.offered_to not in {None, tenant}:
            raise NotFound(f"there is no plan '{plan_id}' for this tenant; GET /billing/plans lists them")
        return self.terms
