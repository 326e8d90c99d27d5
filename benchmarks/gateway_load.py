"""Load from a process of its own: so many connections, each asking again as soon as it has its answer.

`python -m benchmarks.gateway_load PORT CONNECTIONS SECONDS KEY json|stream [HEADERS]` prints one line of
JSON; HEADERS are further lines of the request's head.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from typing import Any, cast

import uvloop

BODY: dict[str, Any] = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": "You are a helpful assistant who answers briefly."},
        {"role": "user", "content": "What does the fox do when it meets the dog? " * 4},
    ],
    "max_tokens": 64,
}


def request(key: str, *, stream: bool, headers: str = "") -> bytes:
    """Return the bytes of one request."""
    body = json.dumps(BODY | ({"stream": True} if stream else {})).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n"
        f"authorization: Bearer {key}\r\ncontent-type: application/json\r\n"
        "user-agent: AsyncOpenAI/Python\r\nx-stainless-lang: python\r\nx-stainless-async: async:asyncio\r\n"
        f"{headers}content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Asking(asyncio.Protocol):
    """One connection, which sends `ask` again and again; counts answers of every status but 200."""

    def __init__(self, ask: bytes, times: list[float]) -> None:
        self.ask = ask
        self._times = times
        self._buffer = b""
        self.wrong = 0
        self.stopping = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not inherit from asyncio's
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or not self._complete(end):
            return
        self._times.append(time.perf_counter() - self._began)
        self.wrong += not self._buffer.startswith(b"HTTP/1.1 200")
        self._buffer = b""
        if self.stopping:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _complete(self, end: int) -> bool:
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        if at >= 0:
            return len(self._buffer) >= end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])
        return self._buffer.endswith(b"0\r\n\r\n")

    def _send(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self.ask)


async def run(port: int, connections: int, seconds: float, ask: bytes) -> dict[str, float]:
    """Keep the connections busy for a time and return what they saw; times are milliseconds."""
    times: list[float] = []
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    made = [
        (await loop.create_connection(lambda: Asking(ask, times), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    for each in made:
        each.stopping = True
    await asyncio.wait([each.done for each in made], timeout=30)
    spent = time.perf_counter() - began
    times.sort()
    return {
        "requests": len(times),
        "wrong": sum(each.wrong for each in made),
        "rps": len(times) / spent,
        "p50_ms": statistics.median(times) * 1000,
        "p99_ms": times[int(len(times) * 0.99)] * 1000,
    }


def main() -> None:
    """Load once and print the result."""
    port, connections, seconds, key, mode, *more = sys.argv[1:]
    ask = request(key, stream=mode == "stream", headers="".join(more))
    print(json.dumps(uvloop.run(run(int(port), int(connections), float(seconds), ask))))


if __name__ == "__main__":
    main()
