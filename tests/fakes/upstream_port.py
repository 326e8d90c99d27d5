"""The provider port in memory: the same behaviours as the fake server, without a socket."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Mapping

from application.orchestration.upstream import FailureKind, ProviderSpec, UpstreamCall, UpstreamFailure
from infrastructure.providers.failures import from_status, kept_headers
from tests.fakes.upstream import RecordedRequest
from tests.fakes.upstream_behaviour import Behaviour, behaviour_of
from tests.fakes.upstream_dialects import Asked
from tests.fakes.upstream_plan import Plan, Script, plan


class FakeUpstreamPort:
    """Upstream for unit tests; `requests` and `script` are as in FakeUpstream."""

    def __init__(self, default: str = "ok") -> None:
        self.requests: list[RecordedRequest] = []
        self.providers: list[str] = []
        """The provider of each request."""
        self._script = Script(default=behaviour_of(default))
        self._free: dict[str, list[int]] = {}
        self._connections = 0
        self._answers: set[FakeAnswer] = set()

    def script(self, *behaviours: Behaviour | str, model: str | None = None) -> None:
        """As FakeUpstream.script."""
        self._script.add(*behaviours, model=model)

    async def open(self, spec: ProviderSpec, call: UpstreamCall) -> "FakeAnswer":
        """See Upstream.open."""
        started = time.monotonic()
        try:
            return await self._open(spec, call)
        except UpstreamFailure as failure:
            failure.latency_s = time.monotonic() - started
            raise

    async def forget(self, provider: str) -> None:
        """See Upstream.forget."""
        self._free.pop(provider, None)

    async def aclose(self) -> None:
        """See Upstream.aclose."""
        for answer in list(self._answers):
            answer.cut()

    def done(self, answer: "FakeAnswer", *, reusable: bool) -> None:
        """An answer has ended; a finished one gives its connection back."""
        self._answers.discard(answer)
        if reusable:
            self._free.setdefault(answer.provider, []).append(answer.request.connection)

    async def _open(self, spec: ProviderSpec, call: UpstreamCall) -> "FakeAnswer":
        if call.deadline <= time.monotonic():
            raise _failure(spec, FailureKind.TIMEOUT_FIRST_BYTE)
        request = self._record(spec, call)
        path = f"/v1{call.path}" if spec.dialect == "openai" else call.path
        asked = Asked("POST", path, dict(request.headers), request.json)
        made = plan(asked, self._script.next(asked.model), [])
        try:
            async with asyncio.timeout_at(call.deadline if call.deadline < math.inf else None):
                await _before(spec, made)
        except TimeoutError:
            request.mark_closed()
            raise _failure(spec, FailureKind.TIMEOUT_FIRST_BYTE) from None
        except asyncio.CancelledError:
            request.mark_closed()
            raise
        if not 200 <= made.status < 300:
            body = b"".join(step.data for step in made.steps)
            request.answered.set()
            raise from_status(spec.name, made.status, made.headers, body, spec.credential)
        answer = FakeAnswer(self, spec.name, call, request, made)
        self._answers.add(answer)
        return answer

    def _record(self, spec: ProviderSpec, call: UpstreamCall) -> RecordedRequest:
        free = self._free.get(spec.name)
        if not free:
            self._connections += 1
        number = free.pop() if free else self._connections
        version = {"anthropic-version": "2023-06-01"} if spec.dialect == "anthropic" else {}
        request = RecordedRequest("POST", call.path, {**version, **call.headers}, call.body, number)
        self.requests.append(request)
        self.providers.append(spec.name)
        return request


class FakeAnswer:
    """UpstreamAnswer that plays a plan's steps."""

    def __init__(
        self, owner: FakeUpstreamPort, provider: str, call: UpstreamCall, request: RecordedRequest, made: Plan
    ) -> None:
        self.status = made.status
        self.headers: Mapping[str, str] = kept_headers(made.headers)
        self.provider = provider
        self.request = request
        self._owner = owner
        self._call = call
        self._plan = made
        self._committed = False
        self._ended = False
        self._cut = asyncio.Event()

    async def read(self, limit: int) -> bytes:
        """See UpstreamAnswer.read."""
        parts = [part async for part in self.chunks()]
        body = b"".join(parts)
        if len(body) > limit:
            raise UpstreamFailure(FailureKind.TOO_LARGE, f"larger than {limit} bytes")
        return body

    async def chunks(self) -> AsyncIterator[bytes]:
        """See UpstreamAnswer.chunks."""
        for step in self._plan.steps:
            await self._pause(step.pause_s)
            yield step.data
        if self._plan.ending == "stall":
            await self._pause(math.inf)
        if self._plan.ending:
            raise self._failed(FailureKind.CUT)
        self.request.answered.set()
        self._end(reusable=not self._plan.behaviour.close)

    def commit(self) -> None:
        """See UpstreamAnswer.commit."""
        self._committed = True

    async def aclose(self) -> None:
        """See UpstreamAnswer.aclose."""
        if not self._ended:
            self.request.mark_closed()
            self._end(reusable=False)

    def cut(self) -> None:
        """The port closes under a running answer."""
        self._cut.set()

    async def _pause(self, seconds: float) -> None:
        """Lets time pass, within the deadline, or within the idle gap once committed."""
        allowed = self._call.idle_timeout if self._committed else self._call.deadline - time.monotonic()
        expired = FailureKind.TIMEOUT_IDLE if self._committed else FailureKind.TIMEOUT_FIRST_BYTE
        wait = max(min(seconds, allowed), 0.0)
        try:
            await asyncio.wait_for(self._cut.wait(), None if wait == math.inf else wait)
        except TimeoutError:
            if seconds > allowed:
                self.request.mark_closed()
                raise self._failed(expired) from None
        else:
            raise self._failed(FailureKind.CUT)

    def _failed(self, kind: FailureKind) -> UpstreamFailure:
        self._end(reusable=False)
        return UpstreamFailure(kind, f"provider '{self.provider}': {kind.value}")

    def _end(self, *, reusable: bool) -> None:
        self._ended = True
        self._owner.done(self, reusable=reusable)


async def _before(spec: ProviderSpec, made: Plan) -> None:
    """Plays what happens before the headers arrive."""
    behaviour = made.behaviour
    if behaviour.fail:
        raise _failure(spec, FailureKind(behaviour.fail))
    if behaviour.before == "hang":
        await asyncio.Event().wait()
    if behaviour.before:
        raise _failure(spec, FailureKind.RESET)
    await asyncio.sleep(behaviour.delay_s)
    if behaviour.content_type == "raw" or behaviour.content_type.startswith("text/html"):
        raise _failure(spec, FailureKind.MALFORMED)
    if "x-huge" in made.headers:
        raise _failure(spec, FailureKind.TOO_LARGE)


def _failure(spec: ProviderSpec, kind: FailureKind) -> UpstreamFailure:
    return UpstreamFailure(kind, f"provider '{spec.name}': {kind.value}")
