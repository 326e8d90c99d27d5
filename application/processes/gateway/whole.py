"""Answers that are not streamed: read one whole, account for it, pass its bytes on."""

from __future__ import annotations

import msgspec

from application.orchestration.dialects.measure import tokens_of_text
from application.orchestration.dialects.model import JsonObject, MalformedAnswer, TokenUsage
from application.orchestration.dialects.responses import (
    decode_answer,
    finish_reason_of,
    text_of,
    translate_answer,
)
from application.orchestration.dialects.usage import usage_of
from application.orchestration.upstream import ProviderSpec, Upstream, UpstreamCall
from application.processes.gateway.attempts import malformed
from application.processes.gateway.trace import Trace

MAX_ANSWER_BYTES = 64 * 1024 * 1024


class WholeAnswer(msgspec.Struct, frozen=True):
    """A provider's answer, ready to send, with what the record needs of it."""

    status: int
    body: bytes
    usage: TokenUsage | None
    estimated_output: int
    finish_reason: str | None
    text: str


async def read_whole(upstream: Upstream, trace: Trace, spec: ProviderSpec, call: UpstreamCall) -> WholeAnswer:
    """Make one attempt. Raises UpstreamFailure, also for an answer that is not of the provider's dialect."""
    answer = await upstream.open(spec, call)
    try:
        raw = await answer.read(MAX_ANSWER_BYTES)
    finally:
        await answer.aclose()
    trace.content_arrived()
    request = trace.call.request
    try:
        body = decode_answer(raw)
        _check_shape(request.operation, spec.dialect, body)
        if spec.dialect != request.dialect:
            translated = translate_answer(
                request,
                spec.dialect,
                body,
                answer_id=trace.call.request_id,
                created=int(trace.call.started_at.timestamp()),
            )
            raw = msgspec.json.encode(translated)
    except MalformedAnswer as error:
        raise malformed(str(error)) from None
    said = text_of(spec.dialect, body)
    ascii_chars = sum(c.isascii() for c in said) if not said.isascii() else len(said)
    return WholeAnswer(
        status=answer.status,
        body=raw,
        usage=usage_of(spec.dialect, body),
        estimated_output=tokens_of_text(ascii_chars, len(said) - ascii_chars),
        finish_reason=finish_reason_of(spec.dialect, body),
        text=said,
    )


def _check_shape(operation: str, dialect: str, body: JsonObject) -> None:
    field = {"embeddings": "data", "count_tokens": "input_tokens"}.get(
        operation, "choices" if dialect == "openai" else "content"
    )
    expected = int if field == "input_tokens" else list
    if not isinstance(body.get(field), expected):
        raise MalformedAnswer(f"the provider's answer has no '{field}'")
