"""The session's Valkey, and a bench on a fresh database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from tests import services
from tests.infrastructure.jobs.bench import Bench, open_bench


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The session's Valkey."""
    with services.running_valkey(services.session_directory(tmp_path_factory) / "valkey") as endpoint:
        yield endpoint.url


@pytest.fixture
async def bench(database: PostgresEndpoint, tmp_path: Path, redis_url: str) -> AsyncIterator[Bench]:
    """A bench of one test."""
    async with open_bench(database, tmp_path, redis_url) as opened:
        yield opened
