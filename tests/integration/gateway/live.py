"""The real product on a loopback port, two fake providers behind it, and the official SDKs in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from infrastructure.embedded.postgres_endpoint import PostgresEndpoint
from infrastructure.operations.projector import run_projector
from infrastructure.runtime import Endpoints
from infrastructure.settings import Settings
from interfaces.composition import Api
from interfaces.http.app import PREFIX
from interfaces.http.server import Server, configure, listen
from tests import services
from tests.erasing import carry_out_purges
from tests.fakes.upstream import FakeUpstream

ADMIN_KEY = "aios_admin_of-the-gateway-tests-0123456789"
_numbers = itertools.count(1)
HELLO: list[Any] = [{"role": "user", "content": "hello there"}]


@dataclass
class Live:
    """The running product. Providers of every tenant: `up` (OpenAI), `cl` (Anthropic), `dead` (refuses)."""

    url: str
    upstream: FakeUpstream
    http: httpx.AsyncClient
    dead_url: str
    clients: list[AsyncOpenAI | AsyncAnthropic] = field(default_factory=list)

    async def tenant(self) -> LiveTenant:
        """Found a tenant with the three providers."""
        await self.ready()
        name = f"t-{secrets.token_hex(4)}"
        made = await self.call(ADMIN_KEY, "POST", "/tenants", json={"tenant_id": name, "name": "Test"})
        tenant = LiveTenant(self, name, made["admin_key"])
        await tenant.provider("up", "openai", self.upstream.openai_base_url)
        await tenant.provider("cl", "anthropic", self.upstream.anthropic_base_url)
        await tenant.provider("dead", "openai", f"{self.dead_url}/v1")
        return tenant

    async def ready(self) -> None:
        """Wait until the product is: while tests on other event loops ran, this one stood still."""
        async with asyncio.timeout(60):
            while True:
                if (await self.http.get("/health/ready")).is_success:
                    return
                await asyncio.sleep(0.05)

    async def call(self, key: str, method: str, path: str, **options: Any) -> Any:
        """Call the management API and return its JSON."""
        answer = await self.http.request(
            method, PREFIX + path, headers={"authorization": f"Bearer {key}"}, **options
        )
        assert answer.is_success, answer.text
        return answer.json()


@dataclass
class LiveTenant:
    """A tenant of one test or module, with clients of both SDKs."""

    live: Live
    name: str
    key: str

    def openai(self, key: str | None = None, **headers: str) -> AsyncOpenAI:
        """Return an SDK client that does not retry."""
        client = AsyncOpenAI(
            base_url=f"{self.live.url}/v1",
            api_key=key or self.key,
            max_retries=0,
            timeout=30,
            default_headers={f"x-aios-{name.replace('_', '-')}": value for name, value in headers.items()},
        )
        self.live.clients.append(client)
        return client

    def anthropic(self, key: str | None = None, **headers: str) -> AsyncAnthropic:
        """Return an SDK client that does not retry."""
        client = AsyncAnthropic(
            base_url=self.live.url,
            api_key=key or self.key,
            max_retries=0,
            timeout=30,
            default_headers={f"x-aios-{name.replace('_', '-')}": value for name, value in headers.items()},
        )
        self.live.clients.append(client)
        return client

    async def post(self, path: str, *, key: str | None = None, **options: Any) -> httpx.Response:
        """Post to the gateway by hand."""
        headers = {"authorization": f"Bearer {key or self.key}", **options.pop("headers", {})}
        return await self.live.http.post(path, headers=headers, **options)

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """Call the management API as the tenant's administrator."""
        return await self.live.call(self.key, method, path, **options)

    async def provider(self, name: str, dialect: str, base_url: str, **more: Any) -> None:
        """Register a provider that takes every model name."""
        body = {"name": name, "dialect": dialect, "base_url": base_url, "api_key": "sk-fake", "models": []}
        await self.call("POST", "/providers", json=body | more)

    async def policy(self, workspace: str, *rules: dict[str, Any], **options: Any) -> None:
        """Set a workspace's policy."""
        body = {
            "workspace_id": workspace,
            "rules": list(rules),
            "fallback_strategy": "order",
            "auto_fallback_enabled": True,
        }
        await self.call("POST", "/model-policy/set", json=body | options)

    async def record(self, request_id: str) -> Any:
        """Return what `/requests/{id}` tells."""
        return await self.call("GET", f"/requests/{request_id}")

    async def eventually(self, request_id: str, within_s: float = 10.0) -> Any:
        """Return the record of a request whose client did not wait for it."""
        async with asyncio.timeout(within_s):
            while True:
                with contextlib.suppress(AssertionError):
                    return await self.record(request_id)
                await asyncio.sleep(0.05)

    async def recorded(self) -> int:
        """Return how many requests the tenant's log holds."""
        return int((await self.call("GET", "/usage/summary"))["requests"])


def fresh(words: str) -> str:
    """Return a model's name that makes the fake provider fail so, and whose health nobody has touched."""
    return f"fault:{words}+ok={next(_numbers)}"


def rule(*targets: str, segment: str = "*", **options: Any) -> dict[str, Any]:
    """Return a rule with a first target and its fallbacks, all `provider/model`."""
    provider, _, model = targets[0].partition("/")
    return {
        "segment": segment,
        "provider": provider,
        "model": model,
        "fallback": list(targets[1:]),
        "latency_budget_ms": None,
        **options,
    }


@asynccontextmanager
async def serving(make: Callable[[], Api]) -> AsyncIterator[str]:
    """Serve an application of the product in this event loop and yield its address."""
    sock = listen("127.0.0.1", 0)
    server = Server(configure(lambda: make().app))
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        async with asyncio.timeout(60):
            while not server.started:
                if task.done():
                    task.result()
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def projecting(settings: Settings, where: Endpoints) -> AsyncIterator[None]:
    """Keep the read models up to date, and carry out purges."""
    tasks = [asyncio.create_task(work(settings, where)) for work in (run_projector, carry_out_purges)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def running(database: PostgresEndpoint, redis_url: str, data: Path) -> AsyncIterator[Live]:
    """Run the product with its fake providers."""
    settings = Settings(data_dir=data, admin_key=ADMIN_KEY)
    where = Endpoints(
        app_dsn=database.app_dsn,
        system_dsn=database.system_dsn,
        owner_dsn=database.owner_dsn,
        keyring_dsn=database.keyring_dsn,
        redis_url=redis_url,
    )
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}"
    async with (
        projecting(settings, where),
        serving(lambda: Api(settings, where)) as url,
        FakeUpstream() as upstream,
        httpx.AsyncClient(base_url=url, timeout=30) as http,
    ):
        live = Live(url, upstream, http, dead)
        try:
            yield live
        finally:
            for client in live.clients:
                await client.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def live(postgres: PostgresEndpoint, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    """The product, one for all tests of this process; they keep apart by tenants of their own."""
    database = services.fresh_database(postgres, f"gateway_{secrets.token_hex(6)}", "migrated")
    with services.running_valkey(services.session_directory(tmp_path_factory) / "valkey") as valkey:
        async with running(database, valkey.url, tmp_path_factory.mktemp("gateway")) as product:
            yield product


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tenant(live: Live) -> LiveTenant:
    """A tenant for each module."""
    return await live.tenant()
