"""A bench on a fresh database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from tests.fakes.stripe_server import FakeStripe, running_stripe
from tests.infrastructure.billing.bench import BillingBench, open_bench
from tests.infrastructure.billing.desk import Desk, open_desk


@pytest.fixture
async def bench(database: PostgresEndpoint, tmp_path: Path) -> AsyncIterator[BillingBench]:
    """A bench of one test."""
    async with open_bench(database, tmp_path / "keys") as opened:
        yield opened


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    """A Stripe of one test."""
    with running_stripe() as running:
        yield running


@pytest.fixture
async def desk(bench: BillingBench, fake: FakeStripe) -> AsyncIterator[Desk]:
    """A bench with a Stripe."""
    async with open_desk(bench, fake) as opened:
        yield opened
