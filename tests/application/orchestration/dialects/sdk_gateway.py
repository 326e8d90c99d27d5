"""The smallest gateway: the dialects between an official SDK and a canned provider answer, on loopback."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from application.orchestration.dialects.errors import error_body
from application.orchestration.dialects.hide_usage import without_usage
from application.orchestration.dialects.model import ChatRequest, Dialect
from application.orchestration.dialects.outgoing import prepare
from application.orchestration.dialects.requests import parse_chat, parse_messages
from application.orchestration.dialects.responses import decode_answer, translate_answer
from application.orchestration.dialects.scan import StreamScanner
from application.orchestration.dialects.sse import SseReader
from application.orchestration.dialects.translate_stream import stream_translator
from domain.kernel.errors import InvalidInput

PARSERS = {"/v1/chat/completions": parse_chat, "/v1/messages": parse_messages}


class Gateway:
    """Answers every request with `answer`, as if a provider of dialect `upstream` had sent it."""

    def __init__(self, upstream: Dialect, answer: bytes, status: int = 200) -> None:
        self.upstream: Dialect = upstream
        self.answer = answer
        self.status = status
        self.prepared: dict[str, Any] = {}
        self.url = ""

    def openai(self) -> AsyncOpenAI:
        return AsyncOpenAI(api_key="k", base_url=f"{self.url}/v1", max_retries=0)

    def anthropic(self) -> AsyncAnthropic:
        return AsyncAnthropic(api_key="k", base_url=self.url, max_retries=0)

    async def handle(self, http: web.Request) -> web.Response:
        dialect: Dialect = "anthropic" if http.path == "/v1/messages" else "openai"
        if self.status != 200:
            return web.Response(status=self.status, body=self.answer, content_type="application/json")
        try:
            request = PARSERS[http.path](await http.read())
            prepared = prepare(request, self.upstream, "target", max_tokens=None)
        except InvalidInput as error:
            body = error_body(dialect, status=400, message=error.message, param=error.errors[0].pointer)
            return web.Response(status=400, body=body, content_type="application/json")
        self.prepared = json.loads(prepared.body)
        if request.stream:
            return web.Response(body=self.stream(request), content_type="text/event-stream")
        answer = translate_answer(
            request, self.upstream, decode_answer(self.answer), answer_id="ours", created=99
        )
        return web.json_response(answer)

    def stream(self, request: ChatRequest) -> bytes:
        translator = stream_translator(request, self.upstream, answer_id="ours", request_id="req", created=99)
        scanner = StreamScanner(self.upstream)
        written = []
        for frame in SseReader().feed(self.answer):
            kind = scanner.scan(frame)
            if translator is not None:
                written.append(translator.feed(frame))
            else:
                written.append(frame.raw if request.client_wants_usage else without_usage(frame, kind))
        return b"".join(written) + (translator.finish() if translator else b"")


@asynccontextmanager
async def serving(upstream: Dialect, answer: bytes, status: int = 200) -> AsyncIterator[Gateway]:
    """Run a gateway on a free loopback port."""
    gateway = Gateway(upstream, answer, status)
    app = web.Application()
    app.router.add_post("/{path:.*}", gateway.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    gateway.url = f"http://{host}:{port}"
    try:
        yield gateway
    finally:
        await runner.cleanup()
