"""Provider `local`: an OpenAI-dialect provider whose address may be unknown, or change."""

import json
import time
from dataclasses import dataclass

import pytest

from application.orchestration.upstream import FailureKind, ProviderSpec, UpstreamFailure
from infrastructure.embedded.errors import ServiceStartError, ServiceStillStarting
from infrastructure.providers.http import HttpUpstream
from infrastructure.providers.local import WithLocalModel
from tests.contract.conftest import KEY, Peer, call
from tests.fakes.upstream import FakeUpstream

LOCAL = ProviderSpec(name="local", dialect="openai", base_url="http://127.0.0.1", allow_private=False)
LIMIT = 1 << 20


@dataclass
class Address:
    """Where a model process listens."""

    base_url: str
    api_key: str = KEY


class Model:
    """The embedded model's owner, as the provider sees it."""

    def __init__(self, *found: Address | Exception) -> None:
        self.found = list(found)
        self.asked = 0

    async def endpoint(self, deadline: float) -> Address:
        """The next address or error; the last one stays."""
        assert deadline > time.monotonic()
        self.asked += 1
        now = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        if isinstance(now, Exception):
            raise now
        return now


async def ask(upstream: WithLocalModel, spec: ProviderSpec = LOCAL) -> str:
    """The answer's model name."""
    answer = await upstream.open(spec, call("smollm2-135m-instruct"))
    body = await answer.read(LIMIT)
    await answer.aclose()
    return str(json.loads(body)["model"])


async def failure(upstream: WithLocalModel) -> UpstreamFailure:
    """What asking fails with."""
    with pytest.raises(UpstreamFailure) as caught:
        await ask(upstream)
    return caught.value


async def test_loaded_model_answers_and_is_asked_for_its_address_once(
    http: HttpUpstream, server: FakeUpstream
) -> None:
    model = Model(Address(server.openai_base_url))
    upstream = WithLocalModel(http, model.endpoint)

    assert [await ask(upstream), await ask(upstream)] == ["smollm2-135m-instruct"] * 2
    assert model.asked == 1
    assert [request.connection for request in server.requests] == [1, 1]
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_loading_model_is_not_ready_with_a_clear_message(http: HttpUpstream) -> None:
    loading = ServiceStillStarting("the local model is still loading, 3 s so far; retry soon", 3.0)
    upstream = WithLocalModel(http, Model(loading).endpoint)

    told = await failure(upstream)

    assert told.kind is FailureKind.NOT_READY
    assert "still loading" in told.detail
    assert told.retry_after_s


async def test_model_that_does_not_load_tells_why_without_its_log(http: HttpUpstream) -> None:
    broken = ServiceStartError("the local model /m.gguf does not exist; set AIOS_LOCAL_MODEL\nlog line")
    upstream = WithLocalModel(http, Model(broken).endpoint)

    told = await failure(upstream)

    assert told.kind is FailureKind.REFUSED
    assert "AIOS_LOCAL_MODEL" in told.detail
    assert "log line" not in told.detail


async def test_restarted_model_is_found_at_its_new_address(http: HttpUpstream, server: FakeUpstream) -> None:
    async with FakeUpstream() as first:
        model = Model(Address(first.openai_base_url), Address(server.openai_base_url))
        upstream = WithLocalModel(http, model.endpoint)
        await ask(upstream)
        await first.stop()
        http_pool_is_stale = await ask(upstream)

    assert http_pool_is_stale == "smollm2-135m-instruct"
    assert model.asked == 2
    assert len(server.requests) == 1


async def test_model_with_a_new_key_is_asked_again_at_the_next_call(
    http: HttpUpstream, server: FakeUpstream
) -> None:
    server.key = "sk-second-start"
    model = Model(Address(server.openai_base_url), Address(server.openai_base_url, "sk-second-start"))
    upstream = WithLocalModel(http, model.endpoint)

    assert (await failure(upstream)).status == 401
    assert await ask(upstream) == "smollm2-135m-instruct"


async def test_other_providers_pass_untouched(peer: Peer) -> None:
    model = Model(ServiceStartError("no model"))
    upstream = WithLocalModel(peer.upstream, model.endpoint)

    assert await ask(upstream, peer.spec()) == "smollm2-135m-instruct"
    assert model.asked == 0
