"""A behaviour and a request become a plan of what is sent when, for the server and the in-memory port."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from tests.fakes import upstream_anthropic, upstream_openai
from tests.fakes.upstream_behaviour import Behaviour, behaviour_of, behaviour_of_model
from tests.fakes.upstream_dialects import Asked, Event, Reply, encode

Ending = Literal["", "cut", "reset", "stall"]


@dataclass(frozen=True, slots=True)
class Step:
    """Bytes to send after a pause."""

    data: bytes
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """An answer: what comes before the headers, the headers, the body's steps, and how it ends."""

    behaviour: Behaviour
    status: int
    headers: dict[str, str]
    steps: tuple[Step, ...]
    ending: Ending = ""
    length: int | None = None
    """The content-length to announce; None sends a chunked body."""


@dataclass(slots=True)
class Script:
    """The next request's behaviour: scripted ones in turn, then what its model names, then the default."""

    default: Behaviour = field(default_factory=Behaviour)
    queue: deque[tuple[str | None, Behaviour]] = field(default_factory=deque)

    def add(self, *behaviours: Behaviour | str, model: str | None = None) -> None:
        """Queues behaviours, each for one request; with `model` only for requests that name it."""
        for behaviour in behaviours:
            made = behaviour_of(behaviour) if isinstance(behaviour, str) else behaviour
            self.queue.append((model, made))

    def next(self, model: str) -> Behaviour:
        """Takes the behaviour for a request."""
        for at, (only, behaviour) in enumerate(self.queue):
            if only is None or only == model:
                del self.queue[at]
                return behaviour
        return behaviour_of_model(model, self.default)


def plan(asked: Asked, behaviour: Behaviour, models: list[str]) -> Plan:
    """The answer in steps."""
    dialect = upstream_anthropic if asked.anthropic else upstream_openai
    status, reply = dialect.reply(asked, behaviour, models)
    headers = {("request-id" if asked.anthropic else "x-request-id"): "req_fake", **behaviour.headers}
    if behaviour.close:
        headers["connection"] = "close"
    if reply.events and behaviour.body is None:
        headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", **headers}
        steps, ending = _stream_steps(reply, behaviour)
        return Plan(behaviour, status, headers, tuple(_split(steps, behaviour.split)), ending)
    return _document(status, headers, reply, behaviour)


def _document(status: int, headers: dict[str, str], reply: Reply, behaviour: Behaviour) -> Plan:
    """A JSON body; a cut one announces its whole length and sends half."""
    body = encode(reply.payload) if behaviour.body is None else behaviour.body
    if behaviour.truncated:
        body = body[: len(body) // 2]
    headers = {"content-type": behaviour.content_type or "application/json", **headers}
    ending: Ending = behaviour.after if behaviour.after in ("cut", "reset", "stall") else ""
    sent = (body[: len(body) // 2] if behaviour.after_chunks >= 0 else b"") if ending else body
    steps = _split([Step(sent, behaviour.first_s)], behaviour.split) if sent else []
    return Plan(behaviour, status, headers, tuple(steps), ending, len(body))


def _stream_steps(reply: Reply, behaviour: Behaviour) -> tuple[list[Step], Ending]:
    steps: list[Step] = []
    content = 0
    if behaviour.after and behaviour.after_chunks < 0:
        return steps, _ending(behaviour)
    for event in reply.events:
        if behaviour.after and event.content and content >= behaviour.after_chunks:
            break
        pause = (behaviour.gap_s if content else behaviour.first_s) if event.content else 0.0
        steps.append(Step(_lines(event, behaviour), pause))
        content += event.content
    if behaviour.after == "error":
        steps.append(Step(_lines(Event(reply.error_event), behaviour)))
    elif not behaviour.after:
        steps += [Step(_lines(event, behaviour)) for event in reply.closing]
    return steps, _ending(behaviour)


def _ending(behaviour: Behaviour) -> Ending:
    return behaviour.after if behaviour.after in ("cut", "reset", "stall") else ""


def _lines(event: Event, behaviour: Behaviour) -> bytes:
    return event.data.replace(b"\n", b"\r\n") if behaviour.crlf else event.data


def _split(steps: list[Step], size: int) -> Iterator[Step]:
    """Pieces of `size` bytes that respect no boundary; pauses stay where the bytes after them begin."""
    if size <= 0:
        yield from steps
        return
    rest = b""
    for step in steps:
        if step.pause_s and rest:
            yield Step(rest)
            rest = b""
        data, pause = rest + step.data, step.pause_s
        while len(data) >= size:
            yield Step(data[:size], pause)
            data, pause = data[size:], 0.0
        rest = data
        if pause and rest:
            yield Step(rest, pause)
            rest = b""
    if rest:
        yield Step(rest)
