"""A Stripe for tests: a server that keeps state, replays idempotent requests, and can misbehave."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.stripe_shapes import Values, meter
from tests.fakes.stripe_state import Refused, StripeState

KEY = "sk_test_fake"
_STEP = re.compile(r"\[([^\]]*)\]")


@dataclass
class Seen:
    """One request that arrived."""

    method: str
    path: str
    params: Values
    idempotency_key: str | None
    form: str = ""


@dataclass
class Kept:
    """What a request under an idempotency key asked, and was answered; None while it is being worked on."""

    asked: tuple[str, str, str]
    answer: tuple[int, Values] | None = None


@dataclass
class FakeStripe:
    """The server's state and its moods; `outage` drops every connection unanswered.

    `fail(status, times)` answers so before anything is done. `lose(path, times)` does what is asked, then
    drops the connection. `delay_s` is how long each answer is on its way.
    """

    state: StripeState = field(default_factory=StripeState)
    seen: list[Seen] = field(default_factory=list)
    outage: bool = False
    delay_s: float = 0.0
    url: str = ""
    replayed: int = 0
    _kept: dict[str, Kept] = field(default_factory=dict)
    _failures: list[int] = field(default_factory=list)
    _lost: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, status: int, times: int = 1) -> None:
        self._failures += [status] * times

    def lose(self, path: str, times: int = 1) -> None:
        self._lost += [path] * times

    def forget_keys(self) -> None:
        """Let a day pass for idempotency keys."""
        self._kept.clear()

    def add_meters(self, *names: str) -> None:
        for name in names:
            self.state.keep(meter(self.state.new_id("mtr"), self.state.stamp(), name))

    def of(self, kind: str) -> list[Values]:
        """Return every object of a kind."""
        with self._lock:
            return self.state.of(kind)

    def answer(self, seen: Seen) -> tuple[int, Values] | None:
        """Return status and body; None to drop the connection."""
        if self.outage:
            return None
        found = self._answer(seen)
        time.sleep(self.delay_s)
        return found

    def _answer(self, seen: Seen) -> tuple[int, Values] | None:
        with self._lock:
            self.seen.append(seen)
            if self._failures:
                return self._failure(self._failures.pop(0))
            status, body = self._once(seen)
            if self._lost and self._lost[0] in seen.path and seen.method == "POST":
                self._lost.pop(0)
                return None
            return status, body

    def _once(self, seen: Seen) -> tuple[int, Values]:
        """Do what is asked, unless the same was asked under the same key before."""
        key = seen.idempotency_key if seen.method == "POST" else None
        asked = (seen.method, seen.path, json.dumps(seen.params, sort_keys=True))
        kept = self._kept.get(key) if key else None
        if kept is not None:
            if kept.asked != asked:
                message = "Keys for idempotent requests can only be used with the same parameters"
                return 400, Refused(400, message, kind="idempotency_error").body
            if kept.answer is None:
                return 409, Refused(409, "This key is in use", code="idempotency_key_in_use").body
            self.replayed += 1
            return kept.answer
        try:
            answer = 200, json.loads(json.dumps(self.state.handle(seen.method, seen.path, seen.params)))
        except Refused as refused:
            answer = refused.status, refused.body
        except KeyError as missing:
            name = str(missing.args[0])
            answer = 400, Refused(400, f"Missing required param: {name}.", param=name).body
        if key and answer[0] != 429:
            self._kept[key] = Kept(asked, answer)
        return answer

    def hold_key(self, key: str, method: str, path: str, params: Values) -> None:
        """Pretend that a request under a key is still being worked on."""
        self._kept[key] = Kept((method, path, json.dumps(params, sort_keys=True)))

    @staticmethod
    def _failure(status: int) -> tuple[int, Values]:
        kind = "rate_limit" if status == 429 else "api_error"
        return status, Refused(status, "Try again later", kind=kind).body


@contextmanager
def running_stripe() -> Iterator[FakeStripe]:
    """Run a fake Stripe on a free port while the block runs."""
    fake = FakeStripe()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(fake))
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def _handler_of(fake: FakeStripe) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve("GET", urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._serve("POST", self.rfile.read(int(self.headers.get("content-length") or 0)).decode())

        def _serve(self, method: str, form: str) -> None:
            if self.headers.get("authorization") != f"Bearer {KEY}":
                self._send(401, Refused(401, "Invalid API Key provided").body)
                return
            key = self.headers.get("idempotency-key")
            answer = fake.answer(Seen(method, urlsplit(self.path).path, decoded(form), key, form))
            if answer is None:
                self.close_connection = True
                return
            self._send(*answer)

        def _send(self, status: int, body: Values) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.send_header("request-id", "req_fake")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
            return

    return Handler


def decoded(form: str) -> Values:
    """Decode Stripe's form of nested values: `items[0][price]=p` is {"items": [{"price": "p"}]}."""
    found: Values = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        first, _, rest = name.partition("[")
        steps = [first, *_STEP.findall(f"[{rest}" if rest else "")]
        place = found
        for step in steps[:-1]:
            place = place.setdefault(step, {})
        place[steps[-1]] = value
    return {name: _listed(value) for name, value in found.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_listed(value[key]) for key in sorted(value, key=int)]
    return {key: _listed(item) for key, item in value.items()}
