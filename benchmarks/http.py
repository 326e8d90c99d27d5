"""A bare HTTP client, so that a benchmark on a shared machine measures the product and not its client.

It keeps connections open, sends JSON and reads answers that name their length; it knows nothing else.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec


class Client:
    """One connection; requests go one after another."""

    def __init__(self, base_url: str, key: str = "") -> None:
        parts = urlsplit(base_url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._key = key
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def get(self, path: str) -> Any:
        """Return the JSON of a page; AssertionError for any status but 200."""
        return await self._ask("GET", path, b"", self._key)

    async def post(self, path: str, body: Any, key: str = "") -> Any:
        """Return the JSON that answers a body; `key` instead of the client's. AssertionError unless 2xx."""
        return await self._ask("POST", path, msgspec.json.encode(body), key or self._key)

    async def _ask(self, method: str, path: str, body: bytes, key: str) -> Any:
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: {self._host}\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answered = await self._reader.readuntil(b"\r\n\r\n")
        lower = answered.lower()
        _, named, rest = lower.partition(b"\r\ncontent-length:")
        assert named, answered
        content = await self._reader.readexactly(int(rest.partition(b"\r\n")[0]))
        assert lower.startswith(b"http/1.1 2"), content
        return msgspec.json.decode(content)
