"""Every projection of the product."""

from __future__ import annotations

from projections.billing.project import BILLING
from projections.billing.usage_project import BILLING_USAGE
from projections.orchestration.experiments_project import EXPERIMENTS
from projections.orchestration.health_project import MODEL_HEALTH
from projections.orchestration.project import MODEL_POLICIES
from projections.projection import Projection
from projections.tenancy.project import TENANCY
from projections.usage.notices import NOTICES
from projections.usage.price_project import PRICES
from projections.usage.project import USAGE
from projections.webhooks.project import WEBHOOKS
from projections.workflows.project import WORKFLOWS

PROJECTIONS: tuple[Projection, ...] = (
    TENANCY,
    MODEL_POLICIES,
    MODEL_HEALTH,
    EXPERIMENTS,
    WORKFLOWS,
    USAGE,
    PRICES,
    NOTICES,
    WEBHOOKS,
    BILLING,
    BILLING_USAGE,
)
