"""The embedded language model, asked for real answers over its OpenAI dialect."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from infrastructure.embedded.errors import ServiceStartError, ServiceStillStarting
from infrastructure.embedded.local_model import LocalEndpoint, LocalModel
from tests.infrastructure.embedded.processes_alive import eventually, marked_processes
from tests.infrastructure.embedded.user_process import UserProcess

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def soon(seconds: float = 120) -> float:
    return time.monotonic() + seconds


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory):
    return tmp_path_factory.mktemp("model") / "aios"


@pytest.fixture(scope="module")
def model(directory):
    model = LocalModel(directory)
    yield model
    model.stop()


@pytest.fixture
async def client(model: LocalModel) -> AsyncIterator["Client"]:
    endpoint = await model.endpoint(soon())
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {endpoint.api_key}"}) as session:
        yield Client(session, endpoint)


class Client:
    """The three requests the tests make."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: LocalEndpoint) -> None:
        self.session, self.endpoint = session, endpoint

    async def post(self, path: str, **body):
        body = {"model": self.endpoint.model, **body}
        async with self.session.post(self.endpoint.base_url + path, json=body) as response:
            return response.status, await response.text()

    async def chat(self, text: str, **options):
        messages = [{"role": "user", "content": text}]
        options = {"temperature": 0, "max_tokens": 60, **options}
        status, answer = await self.post("/chat/completions", messages=messages, **options)
        assert status == 200, answer
        return answer


async def test_it_answers_and_reports_its_usage(client):
    answer = json.loads(await client.chat("Hi, who are you?"))

    assert answer["choices"][0]["message"]["content"].strip()
    usage = answer["usage"]
    assert usage["prompt_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert answer["model"] == client.endpoint.model == "smollm2-135m-instruct"


async def test_a_stream_ends_with_its_usage_when_asked(client):
    answer = await client.chat("Hi", max_tokens=8, stream=True, stream_options={"include_usage": True})

    lines = [line.removeprefix("data: ") for line in answer.split("\n\n") if line.strip()]
    assert lines[-1] == "[DONE]"
    assert 0 < json.loads(lines[-2])["usage"]["completion_tokens"] <= 8


async def test_it_keeps_to_a_json_schema(client):
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": schema}}

    answer = json.loads(await client.chat("Invent a person", response_format=wanted, max_tokens=200))

    person = json.loads(answer["choices"][0]["message"]["content"])
    assert person.keys() == {"name", "age"}
    assert isinstance(person["age"], int)


async def test_it_calls_a_tool_with_arguments_that_fit(client):
    answer = json.loads(await client.chat("What is the weather in Paris?", tools=[WEATHER]))

    choice = answer["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    call = choice["message"]["tool_calls"][0]["function"]
    assert call["name"] == "get_weather"
    assert json.loads(call["arguments"]).keys() == {"city"}


async def test_it_embeds_beside_chatting(client):
    status, answer = await client.post("/embeddings", input=["hello", "good morning"])

    assert status == 200
    vectors = [item["embedding"] for item in json.loads(answer)["data"]]
    assert [len(vector) for vector in vectors] == [576, 576]
    assert vectors[0] != vectors[1]


async def test_other_users_of_the_machine_need_its_key(client):
    for headers in ({"Authorization": "Bearer guessed"}, {"Authorization": ""}):
        url = client.endpoint.base_url + "/chat/completions"
        async with client.session.post(url, json={"messages": []}, headers=headers) as response:
            assert response.status == 401
    assert client.endpoint.base_url.startswith("http://127.0.0.1:")


async def test_several_processes_get_the_same_model(model, directory, client):
    users = [UserProcess("local-model", directory, []) for _ in range(3)]
    try:
        answers = await asyncio.gather(*(asyncio.to_thread(user.answer) for user in users))
        assert {answer["pid"] for answer in answers} == {model.pid}
        assert {answer["base_url"] for answer in answers} == {client.endpoint.base_url}
    finally:
        for user in users:
            user.process.kill()
            user.process.communicate()


async def test_not_ready_by_the_deadline_says_so_and_goes_on_loading(tmp_path):
    model = LocalModel(tmp_path / "aios")
    try:
        with pytest.raises(ServiceStillStarting, match=r"still loading, \d+ s so far") as caught:
            await model.endpoint(time.monotonic())
        assert caught.value.seconds >= 0

        endpoints = await asyncio.gather(*(model.endpoint(soon()) for _ in range(5)))

        assert len({endpoint.base_url for endpoint in endpoints}) == 1
        mark = model._server.mark
        model.release()
        assert await asyncio.to_thread(eventually, lambda: not marked_processes(mark))
    finally:
        model.stop()


async def test_a_file_that_is_no_model_is_named_with_the_cure(tmp_path):
    missing = LocalModel(tmp_path / "aios", model=tmp_path / "missing.gguf")
    with pytest.raises(ServiceStartError, match=r"missing\.gguf.*AIOS_LOCAL_MODEL"):
        await missing.endpoint(soon())

    (tmp_path / "broken.gguf").write_bytes(b"no model at all")
    broken = LocalModel(tmp_path / "aios", model=tmp_path / "broken.gguf")
    with pytest.raises(ServiceStartError, match="ended while it started"):
        await broken.endpoint(soon())
    with pytest.raises(ServiceStartError):
        await broken.endpoint(soon())
