"""What the OpenAPI document says of the gateway's routes, whose bodies belong to the vendors' dialects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Schema,
)

from interfaces.http.routing import ADMIN, OPERATOR, SECURITY, SERVICE

STATUSES: Final = (400, 401, 403, 404, 408, 413, 429, 502, 503, 504)
CREATED: Final = 1_700_000_000


class DialectErrorBody(msgspec.Struct):
    """An error in the caller's dialect: OpenAI's `error`, or Anthropic's `type`, `error` and `request_id`."""

    error: dict[str, Any]
    type: str | None = None
    request_id: str | None = None


class CompletionDocument(msgspec.Struct):
    """OpenAI's chat completion; streamed answers are server-sent events of its chunks."""

    id: str
    object: str
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: dict[str, Any]


class EmbeddingDocument(msgspec.Struct):
    """OpenAI's list of embeddings."""

    object: str
    model: str
    data: list[dict[str, Any]]
    usage: dict[str, Any]


class MessageDocument(msgspec.Struct):
    """Anthropic's message; streamed answers are server-sent events that build it."""

    id: str
    type: str
    role: str
    model: str
    content: list[dict[str, Any]]
    stop_reason: str | None
    usage: dict[str, Any]


class TokenCountDocument(msgspec.Struct):
    """Anthropic's token count."""

    input_tokens: int


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One model, with the members of both dialects' lists."""

    id: str
    object: str = "model"
    type: str = "model"
    display_name: str
    created: int = CREATED
    created_at: str = "2023-11-14T22:13:20Z"
    owned_by: str


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """Every model that can be asked for."""

    object: str = "list"
    data: list[ModelEntry]
    has_more: bool = False
    first_id: str | None = None
    last_id: str | None = None


def model_list(names: Sequence[str]) -> ModelList:
    """Return the list of `auto` and of every `provider/model`."""
    entries = [
        ModelEntry(id=name, display_name=name, owned_by=name.partition("/")[0] if "/" in name else "aios")
        for name in names
    ]
    ends = (entries[0].id, entries[-1].id) if entries else (None, None)
    return ModelList(data=entries, first_id=ends[0], last_id=ends[1])


def _failures() -> dict[int, ResponseSpec]:
    return {
        status: ResponseSpec(DialectErrorBody, generate_examples=False, description="in the caller's dialect")
        for status in STATUSES
    }


def _answers(document: type[msgspec.Struct]) -> dict[int, ResponseSpec]:
    return {200: ResponseSpec(document, generate_examples=False), **_failures()}


ANSWERS: Final[dict[str, dict[int, ResponseSpec]]] = {
    "chat": _answers(CompletionDocument),
    "embeddings": _answers(EmbeddingDocument),
    "messages": _answers(MessageDocument),
    "count_tokens": _answers(TokenCountDocument),
    "models": _failures(),
}
_TEXT: Final = Schema(type=OpenAPIType.STRING)
_MESSAGES: Final = Schema(type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.OBJECT))
_MODEL: Final = Schema(type=OpenAPIType.STRING, description="`auto`, `provider/model` or a model's name.")
_STREAM: Final = Schema(type=OpenAPIType.BOOLEAN)
_TOKENS: Final = Schema(type=OpenAPIType.INTEGER, minimum=1)
BODIES: Final[dict[str, Schema]] = {
    "chat": Schema(
        type=OpenAPIType.OBJECT,
        required=["model", "messages"],
        properties={
            "model": _MODEL,
            "messages": _MESSAGES,
            "stream": _STREAM,
            "max_completion_tokens": _TOKENS,
        },
        description="OpenAI's chat completion request; members not named here go to the provider.",
    ),
    "embeddings": Schema(
        type=OpenAPIType.OBJECT,
        required=["model", "input"],
        properties={"model": _MODEL, "input": Schema(one_of=[_TEXT, Schema(type=OpenAPIType.ARRAY)])},
        description="OpenAI's embeddings request.",
    ),
    "messages": Schema(
        type=OpenAPIType.OBJECT,
        required=["model", "messages", "max_tokens"],
        properties={"model": _MODEL, "messages": _MESSAGES, "stream": _STREAM, "max_tokens": _TOKENS},
        description="Anthropic's message request; members not named here go to the provider.",
    ),
    "count_tokens": Schema(
        type=OpenAPIType.OBJECT,
        required=["model", "messages"],
        properties={"model": _MODEL, "messages": _MESSAGES},
        description="Anthropic's token count request.",
    ),
}
HEADERS: Final[tuple[tuple[str, str], ...]] = (
    ("x-aios-workspace", "The workspace whose policy governs (default `default`)."),
    ("x-aios-segment", "Chooses the policy's rule."),
    ("x-aios-session", "What an experiment can be sticky by."),
    ("x-aios-user", "The person on whose behalf the request is made; stored sealed."),
    ("x-aios-latency-budget-ms", "Time to first content of a stream, to completion otherwise."),
    ("x-aios-fallback", "`off`: the first target or an error."),
    ("x-aios-dry-run", "`1`: answer with the decision and call nobody."),
    (
        "Idempotency-Key",
        "A request with the same key and body gets the first answer again; a stream then leaves whole.",
    ),
)


@dataclass
class GatewayOperation(Operation):
    """An operation whose body is documented by hand, for its handler passes bytes through."""

    def __post_init__(self) -> None:
        """Add body and headers to what Litestar found."""
        schema = BODIES.get(_KINDS.get(self.operation_id or "", ""))
        if schema is not None:
            self.request_body = RequestBody(
                content={"application/json": OpenAPIMediaType(schema=schema)}, required=True
            )
        extra: list[Parameter | Reference] = [
            Parameter(name=name, param_in="header", description=text, schema=_TEXT, required=False)
            for name, text in HEADERS
        ]
        self.parameters = [*(self.parameters or []), *extra]


_KINDS: Final = {
    "createChatCompletion": "chat",
    "createEmbedding": "embeddings",
    "createMessage": "messages",
    "countTokens": "count_tokens",
}


def documented(operation_id: str, summary: str, kind: str) -> dict[str, Any]:
    """Return the options of a gateway route that its documentation needs."""
    return {
        "status_code": 200,
        "operation_id": operation_id,
        "summary": summary,
        "security": SECURITY,
        "opt": {"roles": (ADMIN, OPERATOR, SERVICE), "dialect": True},
        "responses": ANSWERS[kind],
        "operation_class": GatewayOperation,
        "media_type": "application/json",
    }
