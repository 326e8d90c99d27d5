"""What a policy does to one request's prompt and answer: texts changed, counts kept, pseudonyms sealed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Final

import msgspec

from application.memory.pii import PiiScrubbing, PseudonymOwner, ScrubRules, beside_the_loop
from application.memory.pseudonyms import sealing
from application.orchestration.dialects.measure import measure
from application.orchestration.dialects.model import ChatRequest, JsonObject
from application.orchestration.dialects.shape import mapping
from application.ports import NewEvent
from application.processes.gateway.call import GatewayCall
from application.processes.gateway.outcome import Refused
from application.processes.gateway.pii.bodies import Bodies
from application.processes.gateway.pii.relay import GuardedRelay
from application.processes.gateway.pii.streams import stream_guard
from application.processes.gateway.pii.texts import Scrubbed, Treated
from application.processes.gateway.relay import Relay
from application.processes.gateway.trace import Trace
from application.processes.gateway.whole import WholeAnswer
from domain.kernel.errors import Unavailable
from domain.kernel.pii import PiiType, ScrubMode
from domain.kernel.request_record import PiiReport
from domain.memory.pii.detector import DETECTOR_VERSION, Detector
from domain.memory.pii.scrubbing import KeyedFunction, Replacements
from domain.memory.pii.spans import PiiDetectionFailed
from domain.orchestration.policy import PiiMode, PiiPolicy

CATEGORY: Final = "requests"
BLOCKED: Final = "pii_blocked"
FAILED: Final = "pii_scrubbing_failed"
_NO_TEXT: Final = frozenset({"embeddings", "count_tokens"})


class Guard:
    """One request's scrubbing. `clean_prompt` tells that the call's prompt may be stored and sent."""

    def __init__(
        self, scrubbing: PiiScrubbing, policy: PiiPolicy, call: GatewayCall, subject: str | None
    ) -> None:
        self._scrubbing = scrubbing
        self._policy = policy
        self._call = call
        self._subject = subject or f"request:{call.request_id}"
        self._keyed: KeyedFunction | None = None
        self._prompt = Replacements(ScrubMode.REDACT, None)
        self._answer = Replacements(ScrubMode.REDACT, None)
        self.clean_prompt = policy.prompts == "off"

    async def prompt(self) -> ChatRequest:
        """Return the request without personal data. Raises Refused when it is blocked or cannot be searched.

        A blocked prompt counts as clean only in its redacted form, which nobody is sent.
        """
        try:
            await self._prepare()
            request = self._call.request
            if self._policy.prompts != "off":
                bodies = Bodies(Scrubbed(self._detector, self._prompt), answer=False)
                work = partial(bodies.treated, request.body)
                request = _with_body(request, await beside_the_loop(request.input_bytes, work))
        except (PiiDetectionFailed, Unavailable) as error:
            raise failed(error) from None
        self.clean_prompt = True
        return request

    def check_prompt(self) -> None:
        """Raise Refused when the policy blocks prompts such as this one."""
        if self._policy.prompts == "block" and self._prompt.counts:
            raise blocked("prompt", self._prompt.counts)

    def whole(self, answer: WholeAnswer) -> WholeAnswer:
        """Return a whole answer as its caller may see it. Raises Refused."""
        treats = self._policy.answers != "off" or self._originals
        if not treats or self._call.request.operation in _NO_TEXT:
            return answer
        try:
            treated = Treated(self._answer_detector, self._answer, self._originals)
            body: JsonObject = msgspec.json.decode(answer.body)
            raw = msgspec.json.encode(Bodies(treated, answer=True).treated(body))
        except PiiDetectionFailed as error:
            raise failed(error) from None
        self._check_answer()
        return msgspec.structs.replace(answer, body=raw)

    def streamed(self, relay: Relay) -> Relay | GuardedRelay:
        """Return a stream as its caller may see it."""
        if self._policy.answers == "off" and not self._originals:
            return relay
        request = self._call.request
        treated = Treated(self._answer_detector, self._answer, self._originals)
        transform = stream_guard(request.dialect, treated, json_text=_wants_json(request.body))
        return GuardedRelay(relay, transform, self._check_answer, failed)

    def stored(self, answer: str | None) -> str | None:
        """Return an answer's text as it may be stored: with pseudonyms, never with what they stand for."""
        detector = self._answer_detector
        if answer is None or detector is None:
            return answer
        writer = Replacements(self._mode(self._policy.answers), self._keyed)
        try:
            return writer.replace(answer, detector.detect(answer))
        except PiiDetectionFailed:
            return None

    def report(self) -> PiiReport:
        """Return what the record tells."""
        return PiiReport(
            detector_version=DETECTOR_VERSION,
            prompts=self._policy.prompts,
            answers=self._policy.answers,
            in_prompt=_by_name(self._prompt.counts),
            in_answer=_by_name(self._answer.counts),
        )

    def headers(self) -> dict[str, str]:
        """Return the header that tells what was found in the prompt."""
        found = ", ".join(f"{kind}={count}" for kind, count in self.report().in_prompt.items())
        return {"x-aios-pii": found} if found else {}

    def sealed(self, at: datetime) -> tuple[NewEvent, ...]:
        """Return the event that keeps the pseudonyms, sealed; none when there are none."""
        pseudonyms = {**self._prompt.pseudonyms, **self._answer.pseudonyms}
        owner = PseudonymOwner(self._call.caller.tenant, self._subject, CATEGORY)
        return sealing(owner, f"request/{self._call.request_id}", pseudonyms, at)

    async def _prepare(self) -> None:
        if "pseudonym" in (self._policy.prompts, self._policy.answers):
            owner = PseudonymOwner(self._call.caller.tenant, self._subject, CATEGORY)
            self._keyed = await self._scrubbing.keyed(ScrubRules(mode=ScrubMode.PSEUDONYM), owner)
        self._prompt = Replacements(self._mode(self._policy.prompts), self._keyed)
        self._answer = Replacements(self._mode(self._policy.answers), self._keyed)

    @property
    def _detector(self) -> Detector:
        return self._scrubbing.detector(frozenset(self._policy.entities))

    @property
    def _answer_detector(self) -> Detector | None:
        return None if self._policy.answers == "off" else self._detector

    @property
    def _originals(self) -> Mapping[str, str]:
        return self._prompt.pseudonyms if self._policy.restore else {}

    def _check_answer(self) -> None:
        if self._policy.answers == "block" and self._answer.counts:
            raise blocked("answer", self._answer.counts)

    def _mode(self, mode: PiiMode) -> ScrubMode:
        return ScrubMode.REDACT if mode in ("off", "block") else ScrubMode(mode)


class Scrubs:
    """Scrubs requests; the gateway asks it only when a policy wants something done."""

    def __init__(self, scrubbing: PiiScrubbing, subject_reference: Callable[[str, str], str]) -> None:
        self._scrubbing = scrubbing
        self._subject_reference = subject_reference

    async def scrub(self, trace: Trace, policy: PiiPolicy) -> None:
        """Put the scrubbed request in the place of the caller's. Raises Refused when it must not go on."""
        call = trace.call
        subject = self._subject_reference(call.caller.tenant, call.user) if call.user else None
        guard = trace.guard = Guard(self._scrubbing, policy, call, subject)
        trace.call = msgspec.structs.replace(call, request=await guard.prompt())
        guard.check_prompt()


def blocked(where: str, counts: Mapping[PiiType, int]) -> Refused:
    """Return the refusal of a text in which the policy allows no personal data."""
    found = ", ".join(f"{count} {kind}" for kind, count in _by_name(counts).items())
    cure = "take it out and send it again" if where == "prompt" else "ask for an answer without it"
    message = f"The {where} holds personal data ({found}), which this workspace's policy blocks; {cure}."
    return Refused(400, BLOCKED, message, extra={"pii": _by_name(counts)})


def failed(error: Unavailable) -> Refused:
    """Return the refusal of a text that could not be searched: it is neither sent nor stored."""
    return Refused(503, FAILED, f"Nothing was passed on: {error.message}", headers={"retry-after": "1"})


def _by_name(counts: Mapping[PiiType, int]) -> dict[str, int]:
    return {str(kind): counts[kind] for kind in sorted(counts)}


def _with_body(request: ChatRequest, body: JsonObject) -> ChatRequest:
    size = measure(body)
    return msgspec.structs.replace(
        request,
        body=body,
        raw=msgspec.json.encode(body),
        input_bytes=size.byte_bound,
        input_token_bound=size.token_bound,
    )


def _wants_json(body: JsonObject) -> bool:
    """Tell whether the caller asked for an answer that is JSON."""
    formats = (
        body.get("response_format"),
        body.get("output_format"),
        mapping(body.get("output_config")).get("format"),
    )
    return any(mapping(form).get("type") in ("json_object", "json_schema") for form in formats)
