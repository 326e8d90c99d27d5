"""The official SDKs raise their own errors, with our codes and messages, also in the middle of a stream."""

from __future__ import annotations

import anthropic
import openai
import pytest

from application.orchestration.dialects.errors import error_body, stream_error
from application.orchestration.dialects.model import Dialect, TokenUsage
from tests.application.orchestration.dialects.bodies import (
    anthropic_stream,
    block_start,
    message_start,
    openai_stream,
)
from tests.application.orchestration.dialects.sdk_answers import (
    ANTHROPIC_ANSWER,
    HELLO,
)
from tests.application.orchestration.dialects.sdk_gateway import serving


async def test_a_refused_request_names_the_field_to_the_sdk() -> None:
    async with serving("anthropic", ANTHROPIC_ANSWER) as gateway, gateway.openai() as client:
        with pytest.raises(openai.BadRequestError, match="/n: ") as refusal:
            await client.chat.completions.create(model="m", messages=HELLO, n=2)

    assert refusal.value.param == "/n"
    assert refusal.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    ("status", "openai_error", "anthropic_error"),
    [
        (401, openai.AuthenticationError, anthropic.AuthenticationError),
        (403, openai.PermissionDeniedError, anthropic.PermissionDeniedError),
        (404, openai.NotFoundError, anthropic.NotFoundError),
        (429, openai.RateLimitError, anthropic.RateLimitError),
        (503, openai.InternalServerError, anthropic.ServiceUnavailableError),
        (529, openai.InternalServerError, anthropic.OverloadedError),
    ],
)
async def test_error_bodies_carry_code_and_message(
    status: int, openai_error: type[openai.APIStatusError], anthropic_error: type[anthropic.APIStatusError]
) -> None:
    def body(dialect: Dialect) -> bytes:
        return error_body(dialect, status=status, message="why", code="our_code", param="/x", request_id="r")

    async with serving("openai", body("openai"), status) as gateway, gateway.openai() as client:
        with pytest.raises(openai_error) as one:
            await client.chat.completions.create(model="m", messages=HELLO)
    async with serving("openai", body("anthropic"), status) as gateway, gateway.anthropic() as other:
        with pytest.raises(anthropic_error) as two:
            await other.messages.create(model="m", max_tokens=1, messages=HELLO)

    assert (one.value.code, one.value.param) == ("our_code", "/x")
    assert (two.value.error_code, two.value.api_message) == ("our_code", "why")


async def test_a_broken_stream_raises_in_both_sdks() -> None:
    usage = TokenUsage(input_tokens=3, output_tokens=1)

    def broken(dialect: Dialect, start: bytes) -> bytes:
        return start + stream_error(dialect, message="cut", request_id="req", usage=usage)

    openai_start = openai_stream({"content": "x"})
    async with serving("openai", broken("openai", openai_start)) as gateway, gateway.openai() as client:
        stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
        with pytest.raises(openai.APIError, match="cut") as one:
            async for _ in stream:
                pass
    anthropic_start = anthropic_stream(message_start(), block_start(0, type="text", text=""))
    async with (
        serving("anthropic", broken("anthropic", anthropic_start)) as gateway,
        gateway.anthropic() as other,
        other.messages.stream(model="m", max_tokens=9, messages=HELLO) as events,
    ):
        with pytest.raises(anthropic.APIStatusError, match="cut") as two:
            async for _ in events:
                pass

    assert one.value.code == two.value.error_code == "upstream_stream_interrupted"
