"""Vectors of OpenAI's text-embedding-3-small, or of any server that speaks its dialect."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any

import aiohttp
import certifi
import msgspec

from domain.kernel.errors import Unavailable
from infrastructure.embeddings.local import written

MODEL, DIMENSION = "text-embedding-3-small", 1536
AT_ONCE = 256
LONGEST_TEXT = 20_000
"""Characters; the model takes 8191 tokens, which no text of this length exceeds by far."""
TIMEOUT_S = 30.0


class _Embedding(msgspec.Struct):
    index: int
    embedding: list[float]


class _Answer(msgspec.Struct):
    data: list[_Embedding]


class OpenAIEmbeddings:
    """The remote model as a port; `base_url` ends in /v1."""

    remote = True
    model = MODEL
    dimension = DIMENSION

    def __init__(self, base_url: str, api_key: str | None, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._url = base_url.rstrip("/") + "/embeddings"
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._session: aiohttp.ClientSession | None = None

    async def embed(self, texts: Sequence[str]) -> list[str]:
        """Return one vector a text, as PostgreSQL reads it. Raises Unavailable."""
        found: list[str] = []
        for start in range(0, len(texts), AT_ONCE):
            found += await self._ask(texts[start : start + AT_ONCE])
        return found

    async def embed_query(self, text: str) -> str:
        """Return the vector of one query. Raises Unavailable."""
        return (await self._ask([text]))[0]

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, texts: Sequence[str]) -> list[str]:
        body = {
            "model": MODEL,
            "input": [text[:LONGEST_TEXT] or " " for text in texts],
            "encoding_format": "float",
        }
        raw = await self._post(body)
        try:
            answer = msgspec.json.decode(raw, type=_Answer)
        except msgspec.DecodeError as error:
            raise Unavailable("embeddings", "the embedding provider's answer is none", 5.0) from error
        if any(len(each.embedding) != DIMENSION for each in answer.data):
            detail = f"the embedding provider's vectors have not {DIMENSION} dimensions: no {MODEL}"
            raise Unavailable("embeddings", detail, 5.0)
        vectors = {each.index: written(each.embedding) for each in answer.data}
        if vectors.keys() != set(range(len(texts))):
            raise Unavailable("embeddings", "the embedding provider left out vectors", 5.0)
        return [vectors[number] for number in range(len(texts))]

    async def _post(self, body: dict[str, Any]) -> bytes:
        if self._session is None:
            trust = ssl.create_default_context(cafile=certifi.where())
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                connector=aiohttp.TCPConnector(ssl=trust),
                timeout=aiohttp.ClientTimeout(self._timeout_s),
            )
        try:
            async with self._session.post(self._url, json=body) as response:
                raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            told = type(error).__name__
            raise Unavailable(
                "embeddings", f"the embedding provider does not answer ({told})", 5.0
            ) from error
        if response.status != 200:
            raise Unavailable("embeddings", f"the embedding provider answered {response.status}", 5.0)
        return raw
