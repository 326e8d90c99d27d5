"""The two implementations of the provider port, each with its peer."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from application.orchestration.upstream import Dialect, ProviderSpec, Secret, Upstream, UpstreamCall
from infrastructure.providers.http import HttpUpstream
from tests.fakes.upstream import FakeUpstream
from tests.fakes.upstream_dialects import encode
from tests.fakes.upstream_port import FakeUpstreamPort

KEY = "sk-very-secret-123"
PATHS: dict[Dialect, str] = {"openai": "/chat/completions", "anthropic": "/v1/messages"}


@dataclass
class Peer:
    """An implementation of the port and the provider behind it."""

    upstream: Upstream
    provider: FakeUpstream | FakeUpstreamPort
    openai_base_url: str
    anthropic_base_url: str

    def spec(self, dialect: Dialect = "openai", name: str = "acme") -> ProviderSpec:
        """The provider as the gateway would describe it."""
        base_url = self.openai_base_url if dialect == "openai" else self.anthropic_base_url
        return ProviderSpec(name=name, dialect=dialect, base_url=base_url, credential=Secret(KEY))


@pytest.fixture(params=["http", "memory"])
async def peer(request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    """The real adapter on the fake server, and the in-memory port."""
    if request.param == "memory":
        port = FakeUpstreamPort()
        yield Peer(port, port, "http://memory/v1", "http://memory")
        return
    upstream = HttpUpstream()
    async with FakeUpstream() as server:
        yield Peer(upstream, server, server.openai_base_url, server.anthropic_base_url)
        await upstream.aclose()


@pytest.fixture
async def server() -> AsyncIterator[FakeUpstream]:
    """The fake provider on loopback."""
    async with FakeUpstream() as up:
        yield up


@pytest.fixture
async def http() -> AsyncIterator[HttpUpstream]:
    """The real adapter."""
    upstream = HttpUpstream()
    yield upstream
    await upstream.aclose()


def call(
    model: str = "fake-large",
    *,
    dialect: Dialect = "openai",
    stream: bool = False,
    within_s: float = 10.0,
    idle_s: float = 10.0,
    connect_s: float = 5.0,
    max_tokens: int = 100,
) -> UpstreamCall:
    """A chat of five words."""
    messages = [{"role": "user", "content": "say one two three four"}]
    body = {"model": model, "max_tokens": max_tokens, "messages": messages, "stream": stream}
    return UpstreamCall(
        path=PATHS[dialect],
        body=encode(body),
        stream=stream,
        deadline=time.monotonic() + within_s,
        idle_timeout=idle_s,
        connect_timeout=connect_s,
    )
