"""A bench on a fresh database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from tests.infrastructure.billing.bench import BillingBench, open_bench


@pytest.fixture
async def bench(database: PostgresEndpoint, tmp_path: Path) -> AsyncIterator[BillingBench]:
    """A bench of one test."""
    async with open_bench(database, tmp_path / "keys") as opened:
        yield opened
