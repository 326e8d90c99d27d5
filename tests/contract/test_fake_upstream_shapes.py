"""The fake provider against the vendors' own SDKs: with wrong shapes every test on it would mislead."""

import json
from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel

from tests.fakes.upstream import FakeUpstream
from tests.fakes.upstream_behaviour import WORDS, Behaviour, behaviour_of

QUESTION = {"role": "user", "content": "say one two three four"}
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}


class Verdict(BaseModel):
    """What structured output is asked for."""

    good: bool
    reasons: list[str]


@pytest.fixture
async def oai(server: FakeUpstream) -> Any:
    """Any, as a table of cases cannot give the literal types that the SDKs' overloads want."""
    client = openai.AsyncOpenAI(base_url=server.openai_base_url, api_key="sk-fake", max_retries=0)
    async with client:
        yield client


@pytest.fixture
async def ant(server: FakeUpstream) -> Any:
    """Any, as above."""
    client = anthropic.AsyncAnthropic(base_url=server.anthropic_base_url, api_key="sk-fake", max_retries=0)
    async with client:
        yield client


async def test_openai_completion(oai: Any) -> None:
    made = await oai.chat.completions.create(model="gpt-x", messages=[QUESTION])

    assert made.choices[0].message.content == Behaviour().text
    assert made.choices[0].finish_reason == "stop"
    assert made.usage is not None
    assert (made.usage.prompt_tokens, made.usage.completion_tokens, made.usage.total_tokens) == (5, 12, 17)


async def test_openai_stream_with_usage(oai: Any) -> None:
    stream = await oai.chat.completions.create(
        model="fault:crlf+split=5", messages=[QUESTION], stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == Behaviour().text
    assert [c.usage.completion_tokens for c in chunks if c.usage] == [12]
    assert chunks[-1].choices == []


async def test_openai_stream_without_usage_unless_asked(oai: Any) -> None:
    stream = await oai.chat.completions.create(model="gpt-x", messages=[QUESTION], stream=True)

    assert [chunk.usage async for chunk in stream if chunk.usage] == []


async def test_openai_max_tokens_cut_the_answer(oai: Any) -> None:
    made = await oai.chat.completions.create(model="gpt-x", messages=[QUESTION], max_completion_tokens=3)

    assert made.choices[0].message.content == "The quick brown"
    assert made.choices[0].finish_reason == "length"


async def test_openai_tools_streamed_and_not(oai: Any) -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
    made = await oai.chat.completions.create(model="gpt-x", messages=[QUESTION], tools=[tool])
    async with oai.chat.completions.stream(model="gpt-x", messages=[QUESTION], tools=[tool]) as stream:
        streamed = await stream.get_final_completion()

    for completion in (made, streamed):
        [asked] = completion.choices[0].message.tool_calls or []
        assert asked.type == "function"
        assert asked.function.name == "weather"
        assert json.loads(asked.function.arguments) == {"city": "text", "days": 7}
        assert completion.choices[0].finish_reason == "tool_calls"


async def test_openai_tool_result_gets_words(oai: Any) -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
    call = {"id": "call_fake1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    turns = [
        QUESTION,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_fake1", "content": "sunny"},
    ]
    made = await oai.chat.completions.create(model="gpt-x", messages=turns, tools=[tool])

    assert made.choices[0].message.content == Behaviour().text


async def test_openai_structured_output(oai: Any) -> None:
    made = await oai.chat.completions.parse(model="gpt-x", messages=[QUESTION], response_format=Verdict)

    assert made.choices[0].message.parsed == Verdict(good=True, reasons=["text"])


async def test_openai_embeddings_and_models(oai: Any) -> None:
    made = await oai.embeddings.create(model="embed", input=["one two", "three"], dimensions=4)
    plain = await oai.embeddings.create(
        model="embed", input=["one two", "three"], dimensions=4, encoding_format="float"
    )

    assert [len(item.embedding) for item in made.data] == [4, 4]
    assert made.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert made.usage.total_tokens == 3
    assert [model.id async for model in oai.models.list()] == ["fake-large", "fake-small"]


@pytest.mark.parametrize(
    ("model", "error", "code"),
    [
        ("fault:400", openai.BadRequestError, None),
        ("fault:401", openai.AuthenticationError, "invalid_api_key"),
        ("fault:404", openai.NotFoundError, "model_not_found"),
        ("fault:429=2", openai.RateLimitError, "rate_limit_exceeded"),
        ("fault:500", openai.InternalServerError, None),
        ("fault:context-length", openai.BadRequestError, "context_length_exceeded"),
    ],
)
async def test_openai_errors(
    oai: Any, model: str, error: type[openai.APIStatusError], code: str | None
) -> None:
    with pytest.raises(error) as caught:
        await oai.chat.completions.create(model=model, messages=[QUESTION])

    assert caught.value.code == code
    assert caught.value.request_id == "req_fake"


async def test_openai_in_band_error(oai: Any) -> None:
    stream = await oai.chat.completions.create(model="fault:error-event=2", messages=[QUESTION], stream=True)

    with pytest.raises(openai.APIError, match="fake provider error 500"):
        [chunk async for chunk in stream]


async def test_anthropic_message(ant: Any) -> None:
    made = await ant.messages.create(model="claude-x", max_tokens=50, messages=[QUESTION], system="be brief")

    assert made.content[0].type == "text"
    assert made.content[0].text == Behaviour().text
    assert made.stop_reason == "end_turn"
    assert (made.usage.input_tokens, made.usage.output_tokens) == (7, 12)


async def test_anthropic_stream(ant: Any) -> None:
    async with ant.messages.stream(
        model="fault:cached=2+split=9", max_tokens=50, messages=[QUESTION]
    ) as stream:
        text = "".join([part async for part in stream.text_stream])
        final = await stream.get_final_message()

    assert text == Behaviour().text
    usage = final.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (3, 2, 12)


async def test_anthropic_tools_streamed_and_not(ant: Any) -> None:
    tool = {"name": "weather", "input_schema": WEATHER}
    asked = {"model": "claude-x", "max_tokens": 50, "messages": [QUESTION], "tools": [tool]}
    made = await ant.messages.create(**asked)
    async with ant.messages.stream(**asked) as stream:
        streamed = await stream.get_final_message()

    for message in (made, streamed):
        assert message.content[0].type == "tool_use"
        assert message.content[0].input == {"city": "text", "days": 7}
        assert message.stop_reason == "tool_use"


async def test_anthropic_structured_output(ant: Any) -> None:
    made = await ant.messages.parse(
        model="claude-x", max_tokens=50, messages=[QUESTION], output_format=Verdict
    )

    assert made.parsed_output == Verdict(good=True, reasons=["text"])


async def test_anthropic_count_tokens_and_models(ant: Any) -> None:
    counted = await ant.messages.count_tokens(model="claude-x", messages=[QUESTION])

    assert counted.input_tokens == 5
    assert [model.id async for model in ant.models.list()] == ["fake-large", "fake-small"]


@pytest.mark.parametrize(
    ("model", "error", "kind"),
    [
        ("fault:400", anthropic.BadRequestError, "invalid_request_error"),
        ("fault:401", anthropic.AuthenticationError, "authentication_error"),
        ("fault:404", anthropic.NotFoundError, "not_found_error"),
        ("fault:429=2", anthropic.RateLimitError, "rate_limit_error"),
        ("fault:500", anthropic.InternalServerError, "api_error"),
        ("fault:529", anthropic.InternalServerError, "overloaded_error"),
        ("fault:context-length", anthropic.BadRequestError, "invalid_request_error"),
    ],
)
async def test_anthropic_errors(
    ant: Any, model: str, error: type[anthropic.APIStatusError], kind: str
) -> None:
    with pytest.raises(error) as caught:
        await ant.messages.create(model=model, max_tokens=50, messages=[QUESTION])

    body: Any = caught.value.body
    assert body["error"]["type"] == kind
    assert caught.value.request_id == "req_fake"


async def test_anthropic_in_band_error(ant: Any) -> None:
    with pytest.raises(anthropic.APIStatusError, match="overloaded"):
        async with ant.messages.stream(
            model="fault:error-event=2", max_tokens=50, messages=[QUESTION]
        ) as stream:
            await stream.get_final_message()


@pytest.mark.parametrize(
    ("words", "completion"),
    [("no-usage", None), ("zero-usage", 0), ("usage-with-choices", 12), ("long=3000", 3000)],
)
async def test_usage_variants(oai: Any, words: str, completion: int | None) -> None:
    asked = {"model": f"other/fault:{words}", "messages": [QUESTION]}
    made = await oai.chat.completions.create(**asked)
    stream = await oai.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    reported = [(chunk.usage.completion_tokens, bool(chunk.choices)) async for chunk in stream if chunk.usage]

    assert (made.usage and made.usage.completion_tokens) == completion
    assert reported == ([] if completion is None else [(completion, words == "usage-with-choices")])


async def test_key_is_checked_when_one_is_set(server: FakeUpstream, oai: Any) -> None:
    server.key = "sk-other"

    with pytest.raises(openai.AuthenticationError):
        await oai.chat.completions.create(model="gpt-x", messages=[QUESTION])


def test_behaviour_words_combine_and_unknown_ones_are_named() -> None:
    made = behaviour_of("429=2+slow=0.5+crlf")

    assert (made.status, made.headers["retry-after"], made.first_s, made.crlf) == (429, "2", 0.5, True)
    with pytest.raises(ValueError, match="unknown fault 'nonsense'"):
        behaviour_of("nonsense")
    assert all(behaviour_of(word) for word in WORDS)
