"""Fixtures of the HTTP tests: a world of fakes and a client of the application on it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from litestar.testing import TestClient

from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from interfaces.http.app import create_app
from tests import services
from tests.interfaces.http.fakes import World

Backing = tuple[PostgresEndpoint, str, Path]

if TYPE_CHECKING:
    from tests.interfaces.http.product import Product


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(dist=tmp_path / "dist")


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    with TestClient(create_app(world.services()), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def admin() -> dict[str, str]:
    return {"authorization": "Bearer key-admin"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(backing: Backing) -> AsyncIterator[Product]:
    """The real product, one for a module; tests keep apart by tenants of their own."""
    from tests.interfaces.http.product import running_product  # heavy, and few tests need it

    async with running_product(*backing) as running:
        yield running


@pytest.fixture(scope="module")
def product_url(backing: Backing) -> Iterator[str]:
    """The real product under the real server."""
    from tests.interfaces.http.product import served_product  # as above

    with served_product(*backing) as url:
        yield url


@pytest.fixture(scope="module")
def backing(postgres: PostgresEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backing]:
    """A fresh database, the queue and a data directory."""
    name = f"product_{secrets.token_hex(6)}"
    database = services.fresh_database(postgres, name, "migrated")
    with services.running_valkey(services.session_directory(tmp_path_factory) / "valkey") as valkey:
        yield database, valkey.url, tmp_path_factory.mktemp("product")
    services.drop_database(postgres, name)
