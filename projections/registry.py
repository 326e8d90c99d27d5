"""Every projection of the product."""

from __future__ import annotations

from projections.orchestration.project import MODEL_POLICIES
from projections.projection import Projection
from projections.tenancy.project import TENANCY
from projections.usage.project import USAGE

PROJECTIONS: tuple[Projection, ...] = (TENANCY, MODEL_POLICIES, USAGE)
