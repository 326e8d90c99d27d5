"""`POST /v1/embeddings` with the official OpenAI SDK: the embedded MiniLM, and what it cannot do."""

from __future__ import annotations

import base64
import struct
from typing import Any

import openai
import pytest

from tests.integration.gateway.live import HELLO, Live, LiveTenant

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

MODEL = "local/all-minilm-l6-v2"
TEXTS = ["a cat sits on the mat", "the kitten lies on a mat", "share prices fell sharply"]


def alike(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def raw(tenant: LiveTenant, status: int, **body: Any) -> Any:
    answer = await tenant.post("/v1/embeddings", json={"model": MODEL, **body})
    assert answer.status_code == status, answer.text
    return answer


async def test_texts_become_unit_vectors_by_meaning(live: Live) -> None:
    tenant = await live.tenant()
    answer = await tenant.openai().embeddings.create(model=MODEL, input=TEXTS)
    cat, kitten, stocks = (item.embedding for item in answer.data)
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert {len(each) for each in (cat, kitten, stocks)} == {384}
    assert alike(cat, cat) == pytest.approx(1.0, abs=1e-3)
    assert alike(cat, kitten) > alike(cat, stocks) + 0.2
    plain = await tenant.openai().embeddings.create(model="all-minilm-l6-v2", input=TEXTS[0])
    assert alike(plain.data[0].embedding, cat) == pytest.approx(1.0, abs=1e-2)


async def test_both_formats_hold_the_same_numbers(live: Live) -> None:
    tenant = await live.tenant()
    written = (await raw(tenant, 200, input=TEXTS[0], encoding_format="float")).json()
    packed = (await raw(tenant, 200, input=TEXTS[0], encoding_format="base64")).json()
    numbers = struct.unpack("<384f", base64.b64decode(packed["data"][0]["embedding"]))
    assert written["data"][0]["embedding"] == pytest.approx(list(numbers), abs=1e-6)
    assert (written["object"], written["data"][0]["object"]) == ("list", "embedding")
    by_sdk = await tenant.openai().embeddings.create(model=MODEL, input=TEXTS[0], encoding_format="float")
    assert by_sdk.data[0].embedding == pytest.approx(list(numbers), abs=1e-6)


async def test_what_was_read_is_metered_and_costs_nothing(live: Live) -> None:
    tenant = await live.tenant()
    texts = ["hello world", "hi"]
    answer = await tenant.openai().embeddings.with_raw_response.create(model=MODEL, input=texts)
    usage = answer.parse().usage
    assert usage.prompt_tokens == usage.total_tokens == 4 + 3  # each with the marks of its begin and end
    record = await tenant.record(answer.headers["x-request-id"])
    assert (record["provider"], record["model"], record["usage_source"]) == (
        "local", "all-minilm-l6-v2", "provider",
    )  # fmt: skip
    assert (record["cost_micros"], record["usage"]["input_tokens"]) == (0, 7)
    summary = await tenant.call("GET", "/usage/summary")
    assert (summary["requests"], summary["input_tokens"], summary["output_tokens"]) == (1, 7, 0)
    assert (summary["cost_micros"], summary["estimated_share"]) == (0, 0)


REFUSED = [
    ({"input": [1, 2, 3]}, "input", "array of strings"),
    ({"input": [[1, 2], [3]]}, "input", "array of strings"),
    ({"input": ["text", [3]]}, "input", "array of strings"),
    ({"input": ["x"] * 2049}, "input", "at most 2048"),
    ({"input": "x", "dimensions": 100}, "dimensions", "384"),
    ({"input": "x", "encoding_format": "hex"}, "encoding_format", "float, base64"),
]


@pytest.mark.parametrize(("body", "param", "told"), REFUSED)
async def test_what_the_model_cannot_do_is_400_and_says_why(live: Live, body, param, told) -> None:
    tenant = await live.tenant()
    error = (await raw(tenant, 400, **body)).json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert told in error["message"]
    assert (await tenant.call("GET", "/usage/summary"))["input_tokens"] == 0


@pytest.mark.parametrize("body", [{}, {"input": ""}, {"input": []}, {"input": ["a", ""]}, {"input": 5}])
async def test_no_text_is_400_before_any_model_is_asked(live: Live, body) -> None:
    tenant = await live.tenant()
    assert (await raw(tenant, 400, **body)).json()["error"]["message"].startswith("/input")
    assert await tenant.recorded() == 0


async def test_unknown_models_and_other_uses_are_errors_of_the_callers_dialect(live: Live) -> None:
    tenant = await live.tenant()
    with pytest.raises(openai.NotFoundError) as unknown:
        await tenant.openai().embeddings.create(model="local/no-such-model", input="x")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="only embeds"):
        await tenant.openai().chat.completions.create(model=MODEL, messages=HELLO)
    answer = await tenant.post("/v1/messages", json={"model": MODEL, "max_tokens": 8, "messages": HELLO})
    assert (answer.status_code, answer.json()["type"]) == (400, "error")
    listed = [model.id async for model in tenant.openai().models.list()]
    assert MODEL in listed


async def test_many_texts_come_back_in_order(live: Live) -> None:
    tenant = await live.tenant()
    texts = [f"text number {number}" for number in range(130)]
    answer = await tenant.openai().embeddings.create(model=MODEL, input=texts)
    assert len(answer.data) == 130
    one = await tenant.openai().embeddings.create(model=MODEL, input=texts[100])
    nearest = max(range(130), key=lambda n: alike(answer.data[n].embedding, one.data[0].embedding))
    assert nearest == 100
