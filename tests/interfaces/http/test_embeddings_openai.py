"""`POST /v1/embeddings` on a product with OpenAI configured: forwarded, priced, refused as OpenAI refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from tests.fakes.upstream import FakeUpstream
from tests.interfaces.http.conftest import Backing
from tests.interfaces.http.product import BASE_URL, Product, Tenant, running_product

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL = "text-embedding-3-small"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(backing: Backing, upstream: FakeUpstream) -> AsyncIterator[Product]:
    options: dict[str, Any] = {"openai_base_url": upstream.openai_base_url, "openai_api_key": "sk-fake"}
    async with running_product(*backing, **options) as running:
        yield running


def sdk(tenant: Tenant) -> openai.AsyncOpenAI:
    client: Any = tenant.product.client
    return openai.AsyncOpenAI(
        api_key=tenant.admin_key,
        base_url=f"{BASE_URL}/v1",
        http_client=client,
        max_retries=0,
    )


@pytest.mark.parametrize("model", [MODEL, f"openai/{MODEL}"])
async def test_openais_model_is_asked_as_the_caller_asked_and_priced(product, upstream, model):
    tenant, before = await product.tenant(), len(upstream.requests)
    answer = await sdk(tenant).embeddings.with_raw_response.create(
        model=model, input=["one two three"] * 100, dimensions=16
    )
    used = answer.parse().usage.prompt_tokens
    assert [len(item.embedding) for item in answer.parse().data] == [16] * 100
    [sent] = upstream.requests[before:]
    assert sent.json["model"] == MODEL
    assert (sent.json["dimensions"], sent.json["encoding_format"]) == (16, "base64")
    record = (await tenant.call("GET", f"/requests/{answer.headers['x-request-id']}")).json()
    assert (record["provider"], record["model"]) == ("openai", MODEL)
    assert record["usage"]["input_tokens"] == used
    assert record["cost_micros"] == round(used * 0.02)


async def test_arrays_of_tokens_are_for_who_knows_them(product, upstream):
    tenant, before = await product.tenant(), len(upstream.requests)
    answer = await sdk(tenant).embeddings.create(model=MODEL, input=[[1, 2, 3], [4]])
    assert len(answer.data) == 2
    assert upstream.requests[-1].json["input"] == [[1, 2, 3], [4]]
    with pytest.raises(openai.BadRequestError, match="array of strings"):
        await sdk(tenant).embeddings.create(model="local/all-minilm-l6-v2", input=[[1, 2, 3], [4]])
    assert len(upstream.requests) == before + 1


async def test_what_openai_refuses_is_a_refusal_and_costs_nothing(product, upstream):
    tenant = await product.tenant()
    upstream.script("400")
    with pytest.raises(openai.BadRequestError):
        await sdk(tenant).embeddings.create(model=MODEL, input="x")
    assert (await tenant.call("GET", "/usage/summary")).json()["cost_micros"] == 0
