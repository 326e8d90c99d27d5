"""A provider that costs next to nothing, so that a benchmark measures the gateway and not its upstream.

Run `python -m benchmarks.upstream --port 0`; the first line printed is the port. Every answer is computed
before the first request: a completion with usage, or 12 content chunks and usage, in both dialects.
"""

import argparse
import asyncio
import json
import signal
from typing import Any, cast

import uvloop

WORDS = ("The", " quick", " brown", " fox", " jumps", " over", " the", " lazy", " dog", " and", " runs", ".")
PROMPT_TOKENS = 9
COMPLETION_TOKENS = len(WORDS)


def _http(content_type: str, *parts: bytes) -> tuple[bytes, ...]:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nx-request-id: req_bench\r\n"
    if content_type == "application/json":
        body = b"".join(parts)
        return (head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body,)
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in parts]
    return (head.encode() + b"transfer-encoding: chunked\r\n\r\n", *chunks, b"0\r\n\r\n")


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _openai_json() -> tuple[bytes, ...]:
    message = {"role": "assistant", "content": "".join(WORDS), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = {"id": "chatcmpl-bench", "object": "chat.completion", "created": 1700000000, "model": "bench"}
    return _http("application/json", _json({**body, "choices": [choice], "usage": _openai_usage()}))


def _openai_usage() -> dict[str, int]:
    total = PROMPT_TOKENS + COMPLETION_TOKENS
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": COMPLETION_TOKENS, "total_tokens": total}


def _openai_stream() -> tuple[bytes, ...]:
    base = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "bench",
    }

    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        return b"data: " + _json({**base, "choices": choices, **more}) + b"\n\n"

    first = {"role": "assistant", "content": ""}
    parts = [event([{"index": 0, "delta": first, "finish_reason": None}])]
    parts += [event([{"index": 0, "delta": {"content": word}, "finish_reason": None}]) for word in WORDS]
    parts += [event([{"index": 0, "delta": {}, "finish_reason": "stop"}]), event([], usage=_openai_usage())]
    return _http("text/event-stream", *parts, b"data: [DONE]\n\n")


def _anthropic_message(content: list[dict[str, Any]], output: int, stop: str | None) -> dict[str, Any]:
    usage = {"input_tokens": PROMPT_TOKENS, "output_tokens": output}
    body = {"id": "msg_bench", "type": "message", "role": "assistant", "model": "bench", "content": content}
    return {**body, "stop_reason": stop, "stop_sequence": None, "usage": usage}


def _anthropic_json() -> tuple[bytes, ...]:
    content = [{"type": "text", "text": "".join(WORDS)}]
    return _http("application/json", _json(_anthropic_message(content, COMPLETION_TOKENS, "end_turn")))


def _anthropic_stream() -> tuple[bytes, ...]:
    def event(kind: str, **more: Any) -> bytes:
        return b"event: %s\ndata: %s\n\n" % (kind.encode(), _json({"type": kind, **more}))

    def delta(word: str) -> bytes:
        return event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})

    end = {"stop_reason": "end_turn", "stop_sequence": None}
    parts = [event("message_start", message=_anthropic_message([], 1, None))]
    parts += [event("content_block_start", index=0, content_block={"type": "text", "text": ""})]
    parts += [delta(word) for word in WORDS]
    parts += [event("content_block_stop", index=0)]
    parts += [event("message_delta", delta=end, usage={"output_tokens": COMPLETION_TOKENS})]
    return _http("text/event-stream", *parts, event("message_stop"))


ANSWERS = {
    (False, False): _openai_json(),
    (False, True): _openai_stream(),
    (True, False): _anthropic_json(),
    (True, True): _anthropic_stream(),
}


class Answering(asyncio.Protocol):
    """One connection: frames requests by content-length and writes a precomputed answer for each."""

    def __init__(self, gap_s: float, wait_s: float) -> None:
        self._gap_s = gap_s
        self._wait_s = wait_s
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not inherit from asyncio's

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        while (head_end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:head_end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            end = head_end + 4 + length
            if len(self._buffer) < end:
                return
            body, self._buffer = self._buffer[head_end + 4 : end], self._buffer[end:]
            if self._wait_s > 0:
                asyncio.get_running_loop().call_later(self._wait_s, self._answer, head, body)
            else:
                self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        stream = b'"stream":true' in body or b'"stream": true' in body
        parts = ANSWERS[b"/messages" in head[: head.find(b" http/")], stream]
        if stream and self._gap_s > 0:
            self._paced(parts, 0)
        else:
            for part in parts:
                self._transport.write(part)

    def _paced(self, parts: tuple[bytes, ...], at: int) -> None:
        self._transport.write(parts[at])
        if at + 1 < len(parts) and not self._transport.is_closing():
            asyncio.get_running_loop().call_later(self._gap_s, self._paced, parts, at + 1)


async def serve(host: str, port: int, gap_s: float = 0.0, wait_s: float = 0.0) -> asyncio.Server:
    """Listens on `host`; port 0 picks a free one.

    With `gap_s` the parts of a stream come that far apart, with `wait_s` every answer comes that much later.
    """
    return await asyncio.get_running_loop().create_server(lambda: Answering(gap_s, wait_s), host, port)


async def _main(host: str, port: int, gap_s: float, wait_s: float) -> None:
    server = await serve(host, port, gap_s, wait_s)
    print(server.sockets[0].getsockname()[1], flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    server.close()


def main() -> None:
    """Serves until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--gap-ms", type=float, default=0.0, help="pause between the parts of a stream")
    parser.add_argument("--wait-ms", type=float, default=0.0, help="pause before every answer")
    options = parser.parse_args()
    uvloop.run(_main(options.host, options.port, options.gap_ms / 1000, options.wait_ms / 1000))


if __name__ == "__main__":
    main()
