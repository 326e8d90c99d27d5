"""The embedded embedding model as one of provider `local`'s models, in OpenAI's dialect."""

from __future__ import annotations

import asyncio
import base64
import time
from array import array
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from application.orchestration.upstream import (
    FailureKind,
    ProviderSpec,
    Upstream,
    UpstreamAnswer,
    UpstreamCall,
    UpstreamFailure,
)
from domain.kernel.errors import Unavailable

PROVIDER: Final = "local"
MODEL: Final = "all-minilm-l6-v2"
DIMENSION: Final = 384
MOST_TEXTS: Final = 2048
"""Texts in a request, as at OpenAI."""
FORMATS: Final = ("float", "base64")


class Embeds(Protocol):
    """The embedded model, which also counts the tokens that it read."""

    async def counted(self, texts: Sequence[str]) -> tuple[list[array[float]], int]:
        """Return a vector of length 1 for each text, and the tokens of all. Raises Unavailable."""
        ...


class _Asked(msgspec.Struct):
    model: str
    input: Any = None
    encoding_format: str | None = None
    dimensions: int | None = None


class _Refused(Exception):
    """A request that the model cannot answer; `param` is the member that is wrong."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


class WithEmbeddingModel:
    """Upstream that answers for MODEL of provider `local`, and sends everything else on."""

    def __init__(self, inner: Upstream, embeddings: Embeds) -> None:
        self._inner = inner
        self._embeddings = embeddings

    async def open(self, spec: ProviderSpec, call: UpstreamCall) -> UpstreamAnswer:
        """See Upstream.open; `status` 400 for what the model cannot do, `not_ready` while it is loading."""
        if spec.name != PROVIDER:
            return await self._inner.open(spec, call)
        asked = msgspec.json.decode(call.body, type=_Asked)
        if asked.model != MODEL:
            return await self._inner.open(spec, call)
        try:
            texts = _texts(call.path, asked)
        except _Refused as refused:
            raise _bad_request(str(refused), refused.param) from None
        vectors, tokens = await self._embed(texts, call.deadline)
        return _Answer(_body(vectors, tokens, base64_wanted=asked.encoding_format == "base64"))

    async def forget(self, provider: str) -> None:
        """See Upstream.forget."""
        await self._inner.forget(provider)

    async def aclose(self) -> None:
        """See Upstream.aclose; the model is its owner's to let go."""
        await self._inner.aclose()

    async def _embed(self, texts: Sequence[str], deadline: float) -> tuple[list[array[float]], int]:
        started = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, deadline - started)):
                return await self._embeddings.counted(texts)
        except TimeoutError:
            kind, told, pause = FailureKind.TIMEOUT_FIRST_BYTE, "the embedding model took too long", None
        except Unavailable as error:
            kind, told, pause = FailureKind.NOT_READY, error.message, error.retry_after_s
        spent = time.monotonic() - started
        detail = f"provider '{PROVIDER}': {told}"
        raise UpstreamFailure(kind, detail, retry_after_s=pause, latency_s=spent)


class _Answer:
    """UpstreamAnswer whose body is there already."""

    status = 200
    headers: Mapping[str, str] = {"content-type": "application/json"}

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self, limit: int) -> bytes:
        """See UpstreamAnswer.read."""
        if len(self._body) > limit:
            raise UpstreamFailure(FailureKind.TOO_LARGE, f"the answer is larger than {limit} bytes")
        return self._body

    async def chunks(self) -> AsyncIterator[bytes]:
        """See UpstreamAnswer.chunks."""
        yield self._body

    def commit(self) -> None:
        """See UpstreamAnswer.commit."""

    async def aclose(self) -> None:
        """See UpstreamAnswer.aclose."""


def _texts(path: str, asked: _Asked) -> list[str]:
    if path != "/embeddings":
        raise _Refused(f"'{MODEL}' only embeds texts; ask it at /v1/embeddings.", "model")
    if asked.encoding_format not in {None, *FORMATS}:
        raise _Refused(f"encoding_format must be one of {', '.join(FORMATS)}.", "encoding_format")
    if asked.dimensions not in {None, DIMENSION}:
        raise _Refused(f"'{MODEL}' has {DIMENSION} dimensions; leave dimensions off.", "dimensions")
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    if not (isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts)):
        detail = f"'{MODEL}' takes a string or an array of strings, not arrays of another model's tokens."
        raise _Refused(detail, "input")
    if len(texts) > MOST_TEXTS:
        raise _Refused(f"{len(texts)} texts; send at most {MOST_TEXTS} in one request.", "input")
    return texts


def _body(vectors: Sequence[array[float]], tokens: int, *, base64_wanted: bool) -> bytes:
    """Return OpenAI's answer; base64 is of float32 in little-endian order."""
    written = [_little(vector) if base64_wanted else list(vector) for vector in vectors]
    data = [{"object": "embedding", "index": index, "embedding": each} for index, each in enumerate(written)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return msgspec.json.encode({"object": "list", "data": data, "model": MODEL, "usage": usage})


def _little(vector: array[float]) -> str:
    return base64.b64encode(vector.tobytes()).decode()


def _bad_request(message: str, param: str) -> UpstreamFailure:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
    return UpstreamFailure(
        FailureKind.STATUS,
        f"provider '{PROVIDER}' answered 400",
        status=400,
        body=msgspec.json.encode({"error": error}),
    )
