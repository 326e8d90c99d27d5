"""The gateway's routes: OpenAI and Anthropic dialects over one pipeline, errors in the caller's dialect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from litestar import Router, get, post
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

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
from interfaces.http.request import ApiRequest
from interfaces.http.routing import ADMIN, OPERATOR, SECURITY, SERVICE
from interfaces.http.tracing import request_id_of, started_of

LARGEST_BODY: Final = 10 * 1024 * 1024
CALLERS: Final = (ADMIN, OPERATOR, SERVICE)
Parse = Callable[[bytes], ChatRequest]


@post("/v1/chat/completions", **documented("createChatCompletion", "Chat completion", "chat"))
async def chat_completions(request: ApiRequest) -> ASGIApp:
    """Answer a chat completion in OpenAI's dialect, streamed or not, by the workspace's policy."""
    return await answer(request, "openai", parse_chat)


@post("/v1/embeddings", **documented("createEmbedding", "Embeddings", "embeddings"))
async def embeddings(request: ApiRequest) -> ASGIApp:
    """Embed texts in OpenAI's dialect, by the workspace's policy."""
    return await answer(request, "openai", parse_embeddings)


@post("/v1/messages", **documented("createMessage", "Message", "messages"))
async def messages(request: ApiRequest) -> ASGIApp:
    """Answer a message in Anthropic's dialect, streamed or not, by the workspace's policy."""
    return await answer(request, "anthropic", parse_messages)


@post("/v1/messages/count_tokens", **documented("countTokens", "Count tokens", "count_tokens"))
async def count_tokens(request: ApiRequest) -> ASGIApp:
    """Count the input tokens of a message in Anthropic's dialect; it is not usage."""
    return await answer(request, "anthropic", parse_count_tokens)


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


async def answer(request: ApiRequest, dialect: Dialect, parse: Parse) -> ASGIApp:
    """Return the answer to one gateway request; every error is in the caller's dialect."""
    request_id = request_id_of(request.scope)
    try:
        caller = caller_of(request)
        request.scope["auth"] = caller
        headers = read_headers(request.scope["headers"], caller)
        raw = await request.body()
        call = GatewayCall(
            caller=caller,
            request=parse(raw),
            request_id=request_id,
            started=started_of(request.scope),
            started_at=request.services.clock(),
            **headers,
        )
    except (errors.AiosError, HTTPException) as error:
        return DialectError.of(dialect, request_id, error)
    return GatewayAnswer(request.services.gateway.serve, call)


def caller_of(request: ApiRequest) -> Caller:
    """Return who asks. Raises Unauthenticated or Forbidden; comes before anything is validated."""
    caller = identify(request.scope)
    caller.require(*CALLERS)
    return caller


ROUTES: Final[list[Any]] = [
    Router(
        "/",
        route_handlers=[chat_completions, embeddings, messages, count_tokens, models],
        request_max_body_size=LARGEST_BODY,
        tags=["gateway"],
    )
]
