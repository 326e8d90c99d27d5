"""Generated requests, valid and not, against every operation that the API's own description lists."""

from __future__ import annotations

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from litestar.testing import TestClient
from schemathesis import Case
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from interfaces.http.app import create_app
from tests.interfaces.http.fakes import World

with TestClient(create_app(World(dist=Path("none")).services())) as client:
    description = schemathesis.openapi.from_dict(client.get("/docs/openapi.json").json())
# The gateway's operations would call a model.
schema = description.exclude(path_regex="^/v1/")
rejections = schema.config.checks.negative_data_rejection
rejections.expected_statuses = [*rejections.expected_statuses, "413"]

pytestmark = pytest.mark.slow


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_the_description_promises(case: Case, product_url: str) -> None:
    from tests.interfaces.http.product import ADMIN_KEY

    case.call_and_validate(
        base_url=product_url,
        headers={"authorization": f"Bearer {ADMIN_KEY}"},
        # Keys are proven by test_roles; cursors, times and addresses have rules that no schema can say.
        excluded_checks=[ignored_auth, positive_data_acceptance],
    )
