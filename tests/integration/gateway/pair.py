"""Two API processes' worth of the product on one database."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.runtime import Endpoints
from infrastructure.settings import Settings
from interfaces.composition import Api
from tests import services
from tests.fakes.upstream import FakeUpstream
from tests.integration.gateway.live import ADMIN_KEY, Live, projecting, serving


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(
    postgres: PostgresEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Live, Live]]:
    """Two API processes' worth of the product on one database."""
    database = services.fresh_database(postgres, f"quota_{secrets.token_hex(6)}", "migrated")
    data = tmp_path_factory.mktemp("quota")
    with services.running_valkey(services.session_directory(tmp_path_factory) / "valkey") as valkey:
        settings = Settings(data_dir=data, admin_key=ADMIN_KEY)
        where = Endpoints(
            app_dsn=database.app_dsn,
            system_dsn=database.system_dsn,
            owner_dsn=database.owner_dsn,
            keyring_dsn=database.keyring_dsn,
            redis_url=valkey.url,
        )
        async with (
            projecting(settings, where),
            serving(lambda: Api(settings, where)) as one,
            serving(lambda: Api(settings, where)) as two,
            FakeUpstream() as upstream,
            httpx.AsyncClient(base_url=one, timeout=60) as first,
            httpx.AsyncClient(base_url=two, timeout=60) as second,
        ):
            yield Live(one, upstream, first, one), Live(two, upstream, second, two)
