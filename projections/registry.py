"""Every projection of the product."""

from __future__ import annotations

from projections.billing.project import BILLING
from projections.billing.usage_project import BILLING_USAGE
from projections.memory.erasure_project import MEMORY_AUDIT, MEMORY_ERASURES
from projections.memory.project import MEMORIES, MEMORY_POLICIES, MEMORY_RECALL
from projections.memory.pseudonyms_project import PSEUDONYMS
from projections.memory.vectors import MEMORY_VECTORS
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
    MEMORIES,
    MEMORY_POLICIES,
    MEMORY_RECALL,
    MEMORY_VECTORS,
    PSEUDONYMS,
    MEMORY_ERASURES,
    MEMORY_AUDIT,
    BILLING,
    BILLING_USAGE,
    PRICES,
    NOTICES,
    WEBHOOKS,
)
