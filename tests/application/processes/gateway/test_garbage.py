"""What a served request leaves behind: nothing that only the collector of cycles could free."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from application.processes.gateway.admission import Admission, NoQuotas
from application.processes.gateway.quota_admission import QuotaAdmission
from domain.kernel.events import Envelope
from domain.orchestration.catalogue import Target
from domain.usage.events import QuotaSet
from domain.usage.quota import Account, QuotaLimits
from domain.usage.quota_slices import Slice
from infrastructure.database.engines import pool
from infrastructure.quota.counters import QuotaCounters
from infrastructure.quota.service import QuotaService
from projections.usage.quota_live import QuotaDirectory
from tests.application.processes.gateway.world import AT, TENANT, World, call, rules, streamed, whole

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
PLENTY = 10**12


class OnePrice:
    """A micro-dollar a token."""

    def bound(self, tenant: str, target: Target, input_tokens: int, output_tokens: int, at: datetime) -> int:
        return input_tokens + output_tokens


def capped() -> Admission:
    """Return an admission under a tenant's two hard caps, from slices that are full."""
    directory, service = QuotaDirectory(), QuotaService(pool(NOWHERE), NOWHERE, QuotaCounters())
    limits = QuotaLimits(monthly_token_limit=PLENTY, monthly_cost_limit_micros=PLENTY)
    event = QuotaSet(scope="tenant", scope_id="", version=1, set_at=AT, limits=limits)
    directory.apply(
        Envelope(
            position=1, tenant=TENANT, stream_id="s", version=1, type=event.TYPE, schema_version=1,
            recorded_at=AT, command_id="c", correlation="", actor="", event=event,
        )
    )  # fmt: skip
    service.slices.fresh_until = time.monotonic() + 3600
    for unit in limits.units:
        account = Account(TENANT, "tenant", "", f"{AT:%Y-%m}", unit)
        service.slices.table[account] = Slice(granted=PLENTY)
    return QuotaAdmission(directory, service, OnePrice(), lambda _tenant, user: user)


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("admission", [NoQuotas, capped])
async def test_a_served_request_leaves_no_cycles(admission: type[NoQuotas], stream: bool) -> None:
    world = World(rules("one/a", "two/b"))
    world.admit_by(admission())
    for number in range(3):
        given = call(number=number, stream=stream)
        await (streamed(world, given) if stream else whole(world, given))
        assert world.records[-1].outcome == "succeeded"
        if not number:
            gc.collect()  # what the first request makes ready for the others
    assert gc.collect() == 0
