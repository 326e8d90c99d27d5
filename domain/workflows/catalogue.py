"""Every workflow of the product: what it is called, how often it runs, what it makes of missed slots.

To add one, add it here and its handler to the table in `infrastructure/jobs/product.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Literal

import msgspec

from domain.kernel.errors import NotFound
from domain.workflows.schedule import CatchUp

Scope = Literal["installation", "tenant"]
LONGEST_GRACE = timedelta(seconds=60)


class WorkflowDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow as it is built; a tenant's own settings stand in its `Workflow`.

    One of scope `tenant` runs once for each tenant, on that tenant's data. One of scope `installation` runs
    once for all, and its settings and runs belong to the tenant `default`. `grace` is how late a slot may
    be found with catch-up `skip`.
    """

    name: str
    title: str
    interval_s: int
    catch_up: CatchUp = "latest"
    scope: Scope = "tenant"
    time_limit_s: float = 600.0
    grace: timedelta = LONGEST_GRACE


MODEL_HEALTH_CHECK = WorkflowDefinition(
    name="model-health-check",
    title="Judges every model by its latest answers and records what changed",
    interval_s=300,
    catch_up="skip",
    scope="installation",
    time_limit_s=240.0,
)

BILLING_PERIOD_CLOSE = WorkflowDefinition(
    name="billing-period-close",
    title="Issues the invoices of billing periods that are over",
    interval_s=3600,
    catch_up="all",
    scope="installation",
    time_limit_s=1800.0,
)

BILLING_USAGE_REPORT = WorkflowDefinition(
    name="billing-usage-report",
    title="Reports used quantities to the payment system that prices them",
    interval_s=3600,
    scope="installation",
)

BILLING_RECONCILIATION_HOURLY = WorkflowDefinition(
    name="billing-reconciliation-hourly",
    title="Fetches notices of payments that did not arrive, and looks for invoices that were not sent",
    interval_s=3600,
    scope="installation",
)

BILLING_RECONCILIATION_NIGHTLY = WorkflowDefinition(
    name="billing-reconciliation-nightly",
    title="Compares invoices and reported quantities with the log and the payment system",
    interval_s=86_400,
    scope="installation",
    time_limit_s=3600.0,
)


def by_name(definitions: Iterable[WorkflowDefinition]) -> dict[str, WorkflowDefinition]:
    """Return a table of definitions."""
    return {definition.name: definition for definition in definitions}


CATALOGUE: Mapping[str, WorkflowDefinition] = by_name(
    [
        MODEL_HEALTH_CHECK,
        BILLING_PERIOD_CLOSE,
        BILLING_USAGE_REPORT,
        BILLING_RECONCILIATION_HOURLY,
        BILLING_RECONCILIATION_NIGHTLY,
    ]
)


def find(name: str, catalogue: Mapping[str, WorkflowDefinition] = CATALOGUE) -> WorkflowDefinition:
    """Return a workflow's definition. Raises NotFound that lists the ones there are."""
    if name not in catalogue:
        raise NotFound(f"there is no workflow '{name}'; there are: {', '.join(catalogue)}")
    return catalogue[name]
