"""Makes a repeated write answer what it answered first, also when the first attempt died half-way."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any, Final, cast

import msgspec
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from application.bus import Caller
from application.idempotency import Answer, Attempt, IdempotencyStore
from domain.kernel.errors import Conflict, IdempotencyMismatch, InvalidInput, Unavailable
from interfaces.http.request import ApiRequest
from interfaces.http.services import services_of
from interfaces.http.tracing import REQUEST_ID, request_id_of

METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
WELL_FORMED: Final = re.compile(r"[\x21-\x7e]{1,255}")
WAIT_S: Final = 12.0
POLL_S: Final = 0.1
RENEW_S: Final = 3.0
RETRYABLE: Final = frozenset({408, 429})
KEPT: Final = "answer_kept"
"""A route's option: False for answers that quote personal data and change nothing by being given again."""
FIRST_REQUEST: Final = b"x-aios-first-request-id"
"""Tells on a repeated answer which request was answered first; erasures find answers by it."""


class Idempotency:
    """Answers repeated writes from the store; works on handlers that `Authentication` has let through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        caller: Caller | None = scope.get("auth")
        keeps = scope.get("method") in METHODS and scope["route_handler"].opt.get(KEPT, True)
        key = _key_of(scope) if caller and keeps else None
        if caller is None or key is None:
            await self._app(scope, receive, send)
            return
        body = await ApiRequest(scope, receive, send).body()
        held = _Held(services_of(scope).idempotency, caller, key)
        attempt = await held.take(_fingerprint(scope, body))
        if attempt.answer is not None:
            await _send(attempt.answer, send, replayed=True)
            return
        scope["auth"] = msgspec.structs.replace(caller, command_id=attempt.command_id)
        await _send(await held.run(self._app, scope, receive), send)


class _Held:
    """One attempt at one key: takes it, keeps it while the application works, leaves the answer behind."""

    def __init__(self, store: IdempotencyStore, caller: Caller, key: str) -> None:
        self._store = store
        self._tenant = caller.tenant
        self._key = key
        self._owner = caller.command_id

    async def take(self, fingerprint: bytes) -> Attempt:
        """Wait, bounded, until the key is this attempt's or has its answer."""
        give_up_at = asyncio.get_running_loop().time() + WAIT_S
        while True:
            attempt = await self._store.begin(
                self._tenant,
                self._key,
                fingerprint=fingerprint,
                owner=self._owner,
                command_id=self._owner,
            )
            if attempt.state == "other":
                raise IdempotencyMismatch(
                    "this Idempotency-Key was used with another request; take a new key for a new request"
                )
            if attempt.state != "running":
                return attempt
            if asyncio.get_running_loop().time() > give_up_at:
                raise Conflict("a request with this Idempotency-Key is still running; try again later")
            await asyncio.sleep(POLL_S)

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
        """Let the application answer, and store the answer before any of it leaves."""
        collected = _Collected()
        finished = False
        try:
            async with self._renewing():
                await app(scope, receive, collected.take)
            answer = collected.answer(scope)
            if answer.status < 500 and answer.status not in RETRYABLE:
                first = (FIRST_REQUEST, request_id_of(scope).encode())
                stored = msgspec.structs.replace(answer, headers=[*answer.headers, first])
                await self._store.finish(self._tenant, self._key, self._owner, stored)
                finished = True
        finally:
            if not finished:
                await self._store.release(self._tenant, self._key, self._owner)
        return answer

    @contextlib.asynccontextmanager
    async def _renewing(self) -> AsyncIterator[None]:
        async def renew() -> None:
            while True:
                await asyncio.sleep(RENEW_S)
                with contextlib.suppress(Unavailable):  # the lease outlives a short outage
                    await self._store.renew(self._tenant, self._key, self._owner)

        task = asyncio.create_task(renew())
        try:
            yield
        finally:
            task.cancel()


class _Collected:
    """An answer gathered message by message: it is stored before any of it leaves."""

    def __init__(self) -> None:
        self._status = 500
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""

    async def take(self, message: Message) -> None:
        """Receive one ASGI message of the application."""
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            self._body += message["body"]

    def answer(self, scope: Scope) -> Answer:
        """Return what the application answered; at the gateway with the id under which it is recorded."""
        if scope["path"].startswith("/v1/"):
            self._headers.append((REQUEST_ID, request_id_of(scope).encode()))
        return Answer(self._status, self._headers, self._body)


def _key_of(scope: Scope) -> str | None:
    value = next((v for name, v in scope["headers"] if name == b"idempotency-key"), None)
    if value is None:
        return None
    key = value.decode("latin-1")
    if not WELL_FORMED.fullmatch(key):
        raise InvalidInput.at(
            "/Idempotency-Key", "this header takes 1 to 255 printable ASCII characters without blanks"
        )
    return key


def _fingerprint(scope: Scope, body: bytes) -> bytes:
    digest = hashlib.sha256()
    method, query = cast("Any", scope)["method"], scope["query_string"]
    for part in (method.encode(), scope["path"].encode(), query, body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


async def _send(answer: Answer, send: Send, *, replayed: bool = False) -> None:
    headers = [*answer.headers, (b"idempotent-replayed", b"true")] if replayed else answer.headers
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
