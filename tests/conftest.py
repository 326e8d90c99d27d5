"""Fixtures shared by all tests: a migrated database each, and the event store on it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from infrastructure.database.migrate import migrate
from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from tests import services
from tests.event_store import EventStore, open_store
from tests.product import Product, running_product


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresEndpoint]:
    """The session's PostgreSQL server, with a migrated template database."""
    directory = services.session_directory(tmp_path_factory)
    with services.running_postgres(directory / "postgres") as endpoint:
        services.ensure_template(endpoint, "migrated", lambda made: void(migrate(made.owner_dsn)))
        yield endpoint


@pytest.fixture
def database(postgres: PostgresEndpoint) -> Iterator[PostgresEndpoint]:
    """A fresh migrated database, dropped afterwards."""
    name = f"t_{secrets.token_hex(6)}"
    yield services.fresh_database(postgres, name, "migrated")
    services.drop_database(postgres, name)


@pytest.fixture
async def store(database: PostgresEndpoint, tmp_path: Path) -> AsyncIterator[EventStore]:
    """The event store on a fresh database."""
    async with open_store(database, tmp_path / "keys") as opened:
        yield opened


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The whole product, one for each xdist worker, for tests that kill nothing and stay in a tenant."""
    with running_product(tmp_path_factory.mktemp("product") / "d") as running:
        yield running


def void(_: object) -> None:
    """Drop a value, for callbacks that must return nothing."""
