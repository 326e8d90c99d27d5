"""The probing process: reads a question, asks the provider through the SDK, writes the result, ends."""

import asyncio
import importlib
import sys
import time
from typing import Any

import aiohttp
import httpx2
import msgspec

from application.orchestration.upstream import ProviderSpec, UpstreamFailure
from infrastructure.providers import failures
from infrastructure.providers.egress import EgressForbidden
from infrastructure.providers.pool import ProviderPool
from infrastructure.providers.sdk_probe import ProbeQuestion, ProbeResult

LONGEST_MESSAGE = 300
MOST_MODELS = 1000
_DECODED = ("content-encoding", "content-length", "transfer-encoding")  # aiohttp has seen to them
FEW_TOKENS = 16  # one token is refused by models that think first


class Unreachable(httpx2.ConnectError):
    """No answer came; `kind` is the FailureKind."""

    def __init__(self, failure: UpstreamFailure) -> None:
        super().__init__(failure.detail)
        self.kind = failure.kind.value


class GuardedTransport(httpx2.AsyncBaseTransport):
    """The SDK's requests over our own pool, so that the egress rules hold for them too."""

    def __init__(self, pool: ProviderPool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request; every failure becomes the error that the SDK expects of a transport."""
        headers = [(name, value) for name, value in request.headers.items() if name != "accept-encoding"]
        try:
            async with self._pool.session().request(
                request.method,
                str(request.url),
                headers=[*headers, ("accept-encoding", "identity")],
                data=await request.aread(),
                allow_redirects=False,
            ) as response:
                body = await response.read()
                kept = [
                    (name, value) for name, value in response.headers.items() if name.lower() not in _DECODED
                ]
                return httpx2.Response(response.status, headers=kept, content=body)
        except (aiohttp.ClientError, OSError, EgressForbidden) as exc:
            raise Unreachable(failures.from_exception(exc, "under test")) from None


async def answer(question: ProbeQuestion) -> ProbeResult:
    """Asks; whatever goes wrong is told in the result."""
    spec = ProviderSpec(
        name="under test",
        dialect=question.dialect,
        base_url=question.base_url,
        allow_private=question.allow_private,
    )
    try:
        pool = ProviderPool(spec)
    except EgressForbidden as refused:
        return ProbeResult(ok=False, error="EgressForbidden", message=str(refused))
    importlib.import_module(question.dialect)  # takes seconds on a busy machine, which are not the provider's
    started = time.monotonic()
    try:
        async with asyncio.timeout(question.timeout_s):
            models = await _ask(question, pool)
    except Exception as exc:  # noqa: BLE001 - whatever the SDK raises is the result
        return ProbeResult(
            ok=False,
            latency_s=time.monotonic() - started,
            error=type(exc).__name__,
            message=_told(exc, question.api_key),
            status=getattr(exc, "status_code", None),
            kind=getattr(exc.__cause__, "kind", ""),
        )
    finally:
        await pool.aclose()
    return ProbeResult(ok=True, latency_s=time.monotonic() - started, models=models)


async def _ask(question: ProbeQuestion, pool: ProviderPool) -> tuple[str, ...]:
    async with httpx2.AsyncClient(transport=GuardedTransport(pool)) as http:
        client = _client(question, http)
        if question.model is None:
            page = await client.models.list()
            return tuple(model.id for model in page.data[:MOST_MODELS])
        messages = [{"role": "user", "content": "Say ok."}]
        if question.dialect == "anthropic":
            await client.messages.create(model=question.model, messages=messages, max_tokens=FEW_TOKENS)
        else:
            await client.chat.completions.create(
                model=question.model, messages=messages, max_completion_tokens=FEW_TOKENS
            )
        return ()


def _client(question: ProbeQuestion, http: httpx2.AsyncClient) -> Any:
    options: dict[str, Any] = {
        "base_url": question.base_url,
        "api_key": question.api_key or "none",
        "default_headers": question.headers,
        "max_retries": 0,
        "timeout": question.timeout_s,
        "http_client": http,
    }
    if question.dialect == "anthropic":
        import anthropic

        return anthropic.AsyncAnthropic(**options)
    import openai

    return openai.AsyncOpenAI(**options)


def _told(exc: BaseException, secret: str) -> str:
    """The SDK's message and its cause's, in one line, without the credential."""
    parts = [str(each) for each in (exc, exc.__cause__) if each is not None and str(each)]
    message = " ".join(": ".join(parts).split())
    if secret:
        message = message.replace(secret, "***")
    return message[:LONGEST_MESSAGE] or "no answer in time"


def main() -> None:
    """One question on standard input, one result on standard output."""
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=ProbeQuestion)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(answer(question))))


if __name__ == "__main__":
    main()
