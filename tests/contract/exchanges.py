"""One exchange with the real adapter, in a line."""

import json
from typing import Any

import pytest

from application.orchestration.upstream import (
    ProviderSpec,
    Secret,
    UpstreamAnswer,
    UpstreamCall,
    UpstreamFailure,
)
from infrastructure.providers.http import HttpUpstream
from tests.contract.conftest import KEY, call

LIMIT = 1 << 20


def spec(base_url: str, **more: Any) -> ProviderSpec:
    """An OpenAI-dialect provider."""
    fields: dict[str, Any] = {"name": "acme", "dialect": "openai", "credential": Secret(KEY), **more}
    return ProviderSpec(base_url=base_url, **fields)


async def failure(
    http: HttpUpstream, provider: ProviderSpec, given: UpstreamCall | None = None
) -> UpstreamFailure:
    """What opening fails with."""
    with pytest.raises(UpstreamFailure) as caught:
        await http.open(provider, given or call())
    return caught.value


async def completed(http: HttpUpstream, provider: ProviderSpec, given: UpstreamCall | None = None) -> Any:
    """The JSON of one whole exchange."""
    answer = await http.open(provider, given or call())
    body = await answer.read(LIMIT)
    await answer.aclose()
    return json.loads(body)


async def text_of(answer: UpstreamAnswer) -> bytes:
    """All bytes of a stream; the first ones count as content."""
    parts = []
    async for part in answer.chunks():
        answer.commit()
        parts.append(part)
    return b"".join(parts)
