"""The real product in one process: event store, read models and application on a fresh database."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from httpx import ASGITransport, AsyncClient
from litestar import Litestar

from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.operations.projector import run_projector
from infrastructure.runtime import Endpoints
from infrastructure.settings import Settings
from interfaces.composition import Api
from interfaces.http.app import PREFIX
from interfaces.http.server import Server, configure, listen
from tests.erasing import carry_out_purges

BASE_URL = "http://testserver.local"
ADMIN_KEY = "aios_admin_of-these-tests-0123456789"


@dataclass
class Product:
    """A running product and how to talk to it."""

    api: Api
    client: AsyncClient

    async def tenant(self) -> Tenant:
        """Found a tenant of one's own."""
        name = f"t-{secrets.token_hex(4)}"
        answer = await self.platform("POST", "/tenants", json={"tenant_id": name, "name": "Test"})
        assert answer.status_code == 201, answer.text
        return Tenant(self, name, answer.json()["admin_key"])

    async def platform(self, method: str, path: str, **options: Any) -> Any:
        """Call as the operator of the installation."""
        return await self.call(ADMIN_KEY, method, path, **options)

    async def call(self, key: str, method: str, path: str, **options: Any) -> Any:
        """Call a path below the API's prefix with a key."""
        headers = {"authorization": f"Bearer {key}", **options.pop("headers", {})}
        return await self.client.request(method, PREFIX + path, headers=headers, **options)


@dataclass
class Tenant:
    """A tenant of a test, seen through its administrator's key."""

    product: Product
    name: str
    admin_key: str

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """Call as the tenant's administrator."""
        return await self.product.call(self.admin_key, method, path, **options)

    async def key(self, *roles: str, **settings: Any) -> str:
        """Make a key with these roles and return it."""
        body = {"name": "k", "roles": list(roles), **settings}
        answer = await self.call("POST", "/keys", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["key"])


@asynccontextmanager
async def running_product(
    database: PostgresEndpoint, redis_url: str, data: Path, *, erasing: bool = True, **options: Any
) -> AsyncIterator[Product]:
    """Run the API and the projector in this event loop, and whoever carries out purges.

    `options` are settings that differ from the usual ones.
    """
    settings, where = _where(database, redis_url, data, **options)
    projector = asyncio.create_task(run_projector(settings, where))
    eraser = asyncio.create_task(carry_out_purges(settings, where) if erasing else asyncio.sleep(0))
    api = Api(settings, where)
    try:
        # Not Litestar's AsyncTestClient: it blocks this loop, in which the projector runs.
        transport = ASGITransport(cast("Any", api.app), raise_app_exceptions=False)
        async with _alive(api.app), AsyncClient(transport=transport, base_url=BASE_URL) as client:
            await _ready(client)
            yield Product(api, client)
    finally:
        for task in (eraser, projector):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def _alive(app: Litestar) -> AsyncIterator[None]:
    """Hold the lifespan in one task: pytest ends fixtures in another than it begins them in."""
    started, stop = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await stop.wait()

    task = asyncio.create_task(live())
    await asyncio.wait({task, asyncio.create_task(started.wait())}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield
    finally:
        stop.set()
        await task


async def _ready(client: AsyncClient) -> None:
    for _ in range(300):
        if (await client.get("/health/ready")).status_code == 200:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the product did not become ready")


@contextmanager
def served_product(database: PostgresEndpoint, redis_url: str, data: Path) -> Iterator[str]:
    """Run the product in a thread of its own, under the real server, and yield its base URL."""
    listener = listen("127.0.0.1", 0)
    settings, where = _where(database, redis_url, data)
    servers: list[Server] = []
    ready = threading.Event()

    async def serve() -> None:
        projector = asyncio.create_task(run_projector(settings, where))
        api = Api(settings, where)
        servers.append(Server(configure(lambda: api.app)))
        serving = asyncio.create_task(servers[0].serve(sockets=[listener]))
        async with AsyncClient(base_url=url) as client:
            await _ready(client)
        ready.set()
        await serving
        projector.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await projector

    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(60), "the product did not become ready"
        yield url
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(60)


def _where(
    database: PostgresEndpoint, redis_url: str, data: Path, **options: Any
) -> tuple[Settings, Endpoints]:
    where = Endpoints(
        app_dsn=database.app_dsn,
        system_dsn=database.system_dsn,
        owner_dsn=database.owner_dsn,
        keyring_dsn=database.keyring_dsn,
        redis_url=redis_url,
        admin_dsn=database.admin_dsn,
    )
    return Settings(data_dir=data, admin_key=ADMIN_KEY, **options), where
