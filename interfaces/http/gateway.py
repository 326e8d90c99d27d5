"""The gateway's routes: OpenAI and Anthropic dialects over one pipeline, errors in the caller's dialect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from litestar import Router, get, post
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Receive, Scope, Send

from application.bus import Caller
from application.orchestration.dialects.model import ChatRequest, Dialect
from application.orchestration.dialects.requests import (
    parse_chat,
    parse_count_tokens,
    parse_embeddings,
    parse_messages,
)
from application.processes.gateway.call import GatewayCall
from domain.kernel import errors
from interfaces.http.authentication import identify
from interfaces.http.gateway_answer import DialectError, GatewayAnswer
from interfaces.http.gateway_docs import ANSWERS, ModelList, documented, model_list
from interfaces.http.gateway_headers import read_headers
from interfaces.http.idempotency import Idempotency
from interfaces.http.request import ApiRequest
from interfaces.http.routing import ADMIN, OPERATOR, SECURITY, SERVICE
from interfaces.http.services import services_of
from interfaces.http.tracing import request_id_of, started_of

LARGEST_BODY: Final = 10 * 1024 * 1024
CALLERS: Final = (ADMIN, OPERATOR, SERVICE)
Parse = Callable[[bytes], ChatRequest]


@post("/v1/chat/completions", **documented("createChatCompletion", "Chat completion", "chat"))
async def chat_completions(request: ApiRequest) -> ASGIApp:
    """Answer a chat completion in OpenAI's dialect, streamed or not, by the workspace's policy."""
    return await answer(request)


@post("/v1/embeddings", **documented("createEmbedding", "Embeddings", "embeddings"))
async def embeddings(request: ApiRequest) -> ASGIApp:
    """Embed texts in OpenAI's dialect, by the workspace's policy."""
    return await answer(request)


@post("/v1/messages", **documented("createMessage", "Message", "messages"))
async def messages(request: ApiRequest) -> ASGIApp:
    """Answer a message in Anthropic's dialect, streamed or not, by the workspace's policy."""
    return await answer(request)


@post("/v1/messages/count_tokens", **documented("countTokens", "Count tokens", "count_tokens"))
async def count_tokens(request: ApiRequest) -> ASGIApp:
    """Count the input tokens of a message in Anthropic's dialect; it is not usage."""
    return await answer(request)


@get(
    "/v1/models",
    operation_id="listModels",
    summary="List models",
    security=SECURITY,
    opt={"roles": CALLERS},
    responses=ANSWERS["models"],
)
async def models(request: ApiRequest) -> ModelList:
    """List what `model` may be, in a shape that both SDKs read."""
    caller = caller_of(request)
    return model_list(request.services.gateway.models(caller.tenant))


async def answer(request: ApiRequest) -> ASGIApp:
    """Return the answer to a request that came through the router, which few do (see gateway_shortcut)."""
    return await respond(request.scope, request.body)


async def respond(scope: Scope, read: Callable[[], Awaitable[bytes]]) -> ASGIApp:
    """Return the answer to one request at a path of OPERATIONS; every error is in the caller's dialect."""
    dialect, parse = OPERATIONS[scope["path"]]
    request_id, services = request_id_of(scope), services_of(scope)
    try:
        caller = scope["auth"] = identified(scope, request_id)
        headers = read_headers(scope["headers"], caller)
        call = GatewayCall(
            caller=caller,
            request=parse(await read()),
            request_id=request_id,
            started=started_of(scope),
            started_at=services.clock(),
            **headers,
        )
    except Exception as error:  # noqa: BLE001 the caller's dialect has a body for every error
        return DialectError.of(dialect, request_id, error)
    return GatewayAnswer(services.gateway.serve, call)


def caller_of(request: ApiRequest) -> Caller:
    """Return who asks. Raises Unauthenticated or Forbidden; comes before anything is validated."""
    return identified(request.scope)


def identified(scope: Scope, command_id: str | None = None) -> Caller:
    """Return who asks. Raises Unauthenticated or Forbidden; comes before anything is validated."""
    caller = identify(scope, command_id)
    caller.require(*CALLERS)
    return caller


class Once:
    """Repeats the first answer to a request that comes again with its Idempotency-Key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._keyed = Idempotency(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection; with a key the answer leaves whole, at its end, streamed or not."""
        operation = OPERATIONS.get(scope["path"])
        if operation is None or not has_key(scope):
            await self._app(scope, receive, send)
            return
        try:
            scope["auth"] = identified(scope)
            await self._keyed(scope, receive, send)
        except (errors.AiosError, HTTPException) as error:
            failed = DialectError.of(operation[0], request_id_of(scope), error)
            await failed(scope, receive, send)


def has_key(scope: Scope) -> bool:
    """Whether a request came with an Idempotency-Key."""
    return any(name == b"idempotency-key" for name, _ in scope["headers"])


OPERATIONS: Final[Mapping[str, tuple[Dialect, Parse]]] = {
    "/v1/chat/completions": ("openai", parse_chat),
    "/v1/embeddings": ("openai", parse_embeddings),
    "/v1/messages": ("anthropic", parse_messages),
    "/v1/messages/count_tokens": ("anthropic", parse_count_tokens),
}
ROUTES: Final[list[Any]] = [
    Router(
        "/",
        route_handlers=[chat_completions, embeddings, messages, count_tokens, models],
        request_max_body_size=LARGEST_BODY,
        middleware=[Once],
        tags=["gateway"],
    )
]
