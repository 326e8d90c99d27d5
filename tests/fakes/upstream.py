"""A provider on loopback that speaks both dialects, answers as told, and remembers what it was asked.

    async with FakeUpstream() as up:
        up.script("429=2", "ok")                      # the next two requests
        client = AsyncOpenAI(base_url=up.openai_base_url, api_key="sk-fake")
        ...
        await up.requests[0].closed.wait()            # the client hung up

In another process: `python -m tests.fakes.upstream --port 0` prints its port, and is scripted by
`POST /_fake/script {"behaviours": ["429=2"], "model": null}`, `PUT /_fake/default {"behaviour": "ok"}`,
`GET /_fake/requests` and `DELETE /_fake/requests`. See upstream_behaviour.py for the words.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import ssl
import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tests.fakes.upstream_behaviour import Behaviour, behaviour_of
from tests.fakes.upstream_connection import Connection, Head
from tests.fakes.upstream_dialects import Asked, encode
from tests.fakes.upstream_plan import Plan, Script, plan


@dataclass(slots=True, eq=False)
class RecordedRequest:
    """One request as it arrived, and how its exchange ended."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """Counts accepted connections from 1: equal numbers mean a reused connection."""
    received_at: float = field(default_factory=time.monotonic)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the whole answer was handed to the socket."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client closed the connection before that."""
    closed_at: float | None = None

    @property
    def json(self) -> Any:
        """The body, decoded; an empty object when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}

    @property
    def model(self) -> str:
        """The model asked for, or nothing."""
        value = self.json
        return str(value.get("model", "")) if isinstance(value, dict) else ""

    def mark_closed(self) -> None:
        """The client has gone before the answer was complete."""
        if not self.answered.is_set() and not self.closed.is_set():
            self.closed_at = time.monotonic()
            self.closed.set()


class FakeUpstream:
    """The server; `key` makes it answer 401 to every other credential, `tls` makes it speak TLS."""

    def __init__(
        self, *, port: int = 0, key: str | None = None, tls: ssl.SSLContext | None = None, default: str = "ok"
    ) -> None:
        self.port = port
        self.key = key
        self.models = ["fake-large", "fake-small"]
        self.requests: list[RecordedRequest] = []
        self.connections = 0
        self._script = Script(default=behaviour_of(default))
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._open: set[Connection] = set()
        self._arrived = asyncio.Condition()

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def openai_base_url(self) -> str:
        """What the OpenAI SDK takes as base_url."""
        return f"{self.url}/v1"

    @property
    def anthropic_base_url(self) -> str:
        """What the Anthropic SDK takes as base_url."""
        return self.url

    def script(self, *behaviours: Behaviour | str, model: str | None = None) -> None:
        """Behaviours for the next requests (that name `model`), one each, before any other rule."""
        self._script.add(*behaviours, model=model)

    def set_default(self, behaviour: Behaviour | str) -> None:
        """The behaviour of every request that nothing else decides."""
        made = behaviour_of(behaviour) if isinstance(behaviour, str) else behaviour
        self._script.default = made

    def clear(self) -> None:
        """Forgets requests and scripted behaviours."""
        self.requests.clear()
        self._script.queue.clear()

    async def wait_for_requests(self, count: int, within_s: float = 5.0) -> list[RecordedRequest]:
        """The requests, once `count` have arrived; TimeoutError otherwise."""
        async with asyncio.timeout(within_s), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def start(self) -> None:
        """Listens; after `stop` on the same port again."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), "127.0.0.1", self.port, ssl=self._tls, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuses new connections and resets the open ones, as a killed provider does."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._open):
            connection.reset()

    def drop_idle_connections(self) -> None:
        """Closes the kept-alive connections that serve nothing, as a provider's idle timeout does."""
        for connection in list(self._open):
            connection.close_if_idle()

    async def __aenter__(self) -> "FakeUpstream":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def opened(self, connection: Connection) -> int:
        """A connection was accepted; answers its number."""
        self._open.add(connection)
        self.connections += 1
        return self.connections

    def lost(self, connection: Connection) -> None:
        """A connection is gone."""
        self._open.discard(connection)

    async def received(self, head: Head, body: bytes, connection: int) -> tuple[RecordedRequest | None, Plan]:
        """Records a request and decides its answer; control requests are not recorded."""
        path = head.path.partition("?")[0]
        if path.startswith("/_fake/"):
            return None, _document(*self._control(head.method, path, body))
        request = RecordedRequest(head.method, path, head.headers, body, connection)
        async with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()
        value = request.json
        asked = Asked(head.method, path, head.headers, value if isinstance(value, dict) else {})
        behaviour = self._script.next(asked.model)
        if self.key is not None and self.key not in _credentials(head.headers):
            behaviour = Behaviour(status=401, message="invalid api key")
        return request, plan(asked, behaviour, self.models)

    def _control(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        given = json.loads(body) if body else {}
        match method, path:
            case "POST", "/_fake/script":
                self.script(*given["behaviours"], model=given.get("model"))
            case "PUT", "/_fake/default":
                self.set_default(given["behaviour"])
            case "DELETE", "/_fake/requests":
                self.clear()
            case "GET", "/_fake/requests":
                return 200, [_described(request) for request in self.requests]
            case _:
                return 404, {"error": f"no control {method} {path}"}
        return 200, {"ok": True}


def _described(request: RecordedRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "headers": request.headers,
        "json": request.json,
        "connection": request.connection,
        "answered": request.answered.is_set(),
        "closed": request.closed.is_set(),
        "closed_after_s": request.closed_at and request.closed_at - request.received_at,
    }


def _credentials(headers: dict[str, str]) -> tuple[str, str]:
    return headers.get("x-api-key", ""), headers.get("authorization", "").removeprefix("Bearer ")


def _document(status: int, value: Any) -> Plan:
    body = encode(value)
    behaviour = Behaviour(body=body, status=status, content_type="application/json")
    return plan(Asked("GET", "/_fake", {}), behaviour, [])


async def _main(port: int, key: str | None, default: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with FakeUpstream(port=port, key=key, default=default) as up:
        sys.stdout.write(f"{up.port}\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Serves until SIGINT or SIGTERM; the first line printed is the port."""
    parser = argparse.ArgumentParser(description="A fake provider in both dialects.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", help="answer 401 to every other credential")
    parser.add_argument("--default", default="ok", help="behaviour words, as in 'slow=0.2+split=5'")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(options.port, options.key, options.default))


if __name__ == "__main__":
    main()
