"""The adapter of OpenAI's embeddings on a local server that speaks the dialect, and speaks it wrongly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from domain.kernel.errors import Unavailable
from infrastructure.embeddings.openai import AT_ONCE, DIMENSION, LONGEST_TEXT, MODEL, OpenAIEmbeddings

KEY = "sk-of-these-tests"
Answering = Callable[[dict[str, Any]], Awaitable[web.Response] | web.Response]


class Server:
    """Answers `POST /v1/embeddings` as OpenAI does, unless `answering` says otherwise; keeps what it got."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.answering: Answering = usual
        self.url = ""

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return failed(401, "Incorrect API key provided")
        body = await request.json()
        self.requests.append(body)
        answer = self.answering(body)
        return answer if isinstance(answer, web.Response) else await answer


def vector(number: int, dimension: int = DIMENSION) -> list[float]:
    return [float(number), *[0.5] * (dimension - 1)]


def answer(vectors: list[tuple[int, list[float]]]) -> web.Response:
    data = [{"object": "embedding", "index": index, "embedding": each} for index, each in vectors]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return web.json_response({"object": "list", "data": data, "model": MODEL, "usage": usage})


def usual(body: dict[str, Any]) -> web.Response:
    """Vectors that begin with the text's length, in another order than asked for, as the index allows."""
    return answer([(n, vector(len(text))) for n, text in enumerate(body["input"])][::-1])


def failed(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "error"}}, status=status)


async def late(body: dict[str, Any]) -> web.Response:
    await asyncio.sleep(20)
    return usual(body)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made, app = Server(), web.Application(client_max_size=2**26)
    app.router.add_post("/v1/embeddings", made.embeddings)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield made
    await runner.cleanup()


@pytest.fixture
async def embeddings(server: Server) -> AsyncIterator[OpenAIEmbeddings]:
    made = OpenAIEmbeddings(server.url, KEY, timeout_s=3)
    yield made
    await made.aclose()


async def test_each_text_gets_its_own_vector_whatever_the_order_of_the_answer(server, embeddings) -> None:
    found = await embeddings.embed(["a", "bb", ""])
    assert [json.loads(each)[0] for each in found] == [1, 2, 1]
    assert {len(json.loads(each)) for each in found} == {DIMENSION}
    assert server.requests == [{"model": MODEL, "input": ["a", "bb", " "], "encoding_format": "float"}]
    assert json.loads(await embeddings.embed_query("ccc"))[0] == 3


async def test_many_and_long_texts_go_in_parts(server, embeddings) -> None:
    found = await embeddings.embed(["x" * (LONGEST_TEXT + 5), *["y"] * AT_ONCE])
    assert len(found) == AT_ONCE + 1
    assert [len(request["input"]) for request in server.requests] == [AT_ONCE, 1]
    assert len(server.requests[0]["input"][0]) == LONGEST_TEXT
    assert await embeddings.embed([]) == []


FAULTS: dict[str, Answering] = {
    "answered 401": lambda _: failed(401, "a secret text"),
    "answered 429": lambda _: failed(429, "Rate limit reached"),
    "answered 500": lambda _: failed(500, "The server had an error"),
    "answer is none": lambda _: web.Response(text="<html>a secret text</html>"),
    "answer is none ": lambda _: web.json_response({"data": [{"index": 0, "embedding": "a secret text"}]}),
    "answer is none  ": lambda _: web.json_response({"error": {"message": "a secret text"}}),
    "left out vectors": lambda _: answer([]),
    "left out vectors ": lambda _: answer([(7, vector(1))]),
    f"have not {DIMENSION} dimensions": lambda _: answer([(0, vector(1, 8))]),
    "does not answer": late,
}


@pytest.mark.parametrize("told", FAULTS)
async def test_what_goes_wrong_is_unavailable_and_says_no_text(server, embeddings, told) -> None:
    server.answering = FAULTS[told]
    with pytest.raises(Unavailable, match=told.strip()) as failure:
        await embeddings.embed(["a secret text"])
    assert "secret" not in str(failure.value)
    assert KEY not in str(failure.value)
    assert failure.value.retry_after_s == 5.0
    server.answering = usual
    assert len(await embeddings.embed(["again"])) == 1


async def test_a_wrong_key_and_a_closed_port_are_unavailable(server) -> None:
    for url, key, told in ((server.url, "wrong", "401"), ("http://127.0.0.1:9/v1", KEY, "does not answer")):
        embeddings = OpenAIEmbeddings(url, key)
        with pytest.raises(Unavailable, match=told):
            await embeddings.embed(["x"])
        await embeddings.aclose()
