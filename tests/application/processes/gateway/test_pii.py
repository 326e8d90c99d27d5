"""Personal data in prompts and answers, as the workspace's policy wants it, in both dialects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from application.processes.gateway.outcome import Streamed
from domain.kernel.request_record import PiiReport
from domain.memory.pii.detector import DETECTOR_VERSION
from domain.memory.pseudonym_events import PseudonymsSealed
from domain.orchestration.policy import PiiPolicy
from tests.application.processes.gateway.world import World, call, refused, rules, streamed, whole
from tests.domain.memory.pii.test_detector import BrokenPlans
from tests.fakes.upstream_behaviour import Behaviour

MAIL = "ann@example.org"
PHONE = "+44 20 7946 0958"
ASKED: list[Any] = [{"role": "user", "content": f"Write to {MAIL}, or ring {PHONE}."}]
SAID = f"I wrote to {MAIL} and then rang {PHONE} as you asked me to do."
CLEAN = "I wrote to [EMAIL] and then rang [PHONE] as you asked me to do."
OPERATIONS = ["chat", "messages"]
TARGETS = ["one/a", "claude/a"]


def world(target: str = "one/a", *, record_content: bool = False, **pii: Any) -> World:
    """A world whose policy scrubs."""
    return World(rules(target, record_content=record_content, pii=PiiPolicy(**pii)))


def sent(of: World) -> str:
    """What the provider got."""
    return of.upstream.requests[-1].body.decode()


def deltas(body: bytes, kind: str) -> str:
    """The text, or the tool's input, of a stream in either dialect."""
    out = ""
    for line in body.decode().splitlines():
        if not line.startswith("data: {"):
            continue
        event = json.loads(line[6:])
        for choice in event.get("choices", []):
            delta = choice["delta"]
            out += delta.get("content") or "" if kind == "text" else ""
            if kind == "json":
                out += "".join(c["function"].get("arguments") or "" for c in delta.get("tool_calls", []))
        delta = event.get("delta", {})
        out += delta.get("text" if kind == "text" else "partial_json") or ""
    return out


def text_of(body: dict[str, Any]) -> str:
    """The text of a whole answer in either dialect."""
    if "choices" in body:
        return str(body["choices"][0]["message"]["content"])
    return "".join(block.get("text", "") for block in body["content"])


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("target", TARGETS)
async def test_providers_and_records_see_only_the_scrubbed_prompt(operation: str, target: str) -> None:
    of = world(target, prompts="placeholder", record_content=True)
    answer, _ = await whole(of, call(operation, messages=ASKED, user=MAIL))
    assert "Write to [EMAIL], or ring [PHONE]." in sent(of)
    assert MAIL not in sent(of)
    assert of.record.prompt is not None
    assert MAIL not in str(of.record.prompt)
    assert of.record.pii == PiiReport(
        detector_version=DETECTOR_VERSION, prompts="placeholder", in_prompt={"EMAIL": 1, "PHONE": 1}
    )
    assert answer.headers["x-aios-pii"] == "EMAIL=1, PHONE=1"


async def test_every_place_of_a_prompt_is_scrubbed() -> None:
    of = world("one/a", prompts="redact")
    arguments = json.dumps({"to": MAIL, "phone": 2015550123})
    function = {"name": "send", "arguments": arguments}
    described = {"name": "send", "description": f"Ask {MAIL}", "parameters": {"type": "object"}}
    messages = [
        {"role": "system", "content": f"You work for {MAIL}"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": MAIL},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,a@b.co"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": json.dumps({"sent": [MAIL]})},
    ]
    await whole(
        of,
        call(messages=messages, tools=[{"type": "function", "function": described}], metadata={"by": MAIL}),
    )
    body = json.loads(sent(of))
    assert MAIL not in sent(of)
    assert json.loads(body["messages"][2]["tool_calls"][0]["function"]["arguments"]) == {
        "to": "[REDACTED]",
        "phone": "[REDACTED]",
    }
    assert json.loads(body["messages"][3]["content"]) == {"sent": ["[REDACTED]"]}
    assert body["messages"][1]["content"][1]["image_url"]["url"].endswith("a@b.co")
    assert body["tools"][0]["function"]["description"] == "Ask [REDACTED]"


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("target", TARGETS)
async def test_whole_answers_are_scrubbed_and_stored_scrubbed(operation: str, target: str) -> None:
    of = world(target, answers="placeholder", record_content=True)
    of.upstream.script(Behaviour(text=SAID))
    _, body = await whole(of, call(operation))
    assert text_of(body) == CLEAN
    assert of.record.answer == CLEAN
    assert of.record.pii is not None
    assert of.record.pii.in_answer == {"EMAIL": 1, "PHONE": 1}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("split", [0, 5])
async def test_streams_are_scrubbed_however_they_are_cut(operation: str, target: str, split: int) -> None:
    of = world(target, answers="placeholder", record_content=True)
    of.upstream.script(Behaviour(text=SAID, split=split))
    _, body = await streamed(of, call(operation, stream=True))
    assert deltas(body, "text") == CLEAN
    assert MAIL.encode() not in body
    assert of.record.answer == CLEAN
    assert of.record.outcome == "succeeded"


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("stream", [False, True])
async def test_tool_calls_stay_json(operation: str, target: str, *, stream: bool) -> None:
    of = world(target, answers="redact")
    schema = {
        "type": "object",
        "properties": {"to": {"const": f'say "{MAIL}"'}, "phone": {"const": 2015550123}},
    }
    tool = (
        {"type": "function", "function": {"name": "send", "parameters": schema}}
        if operation == "chat"
        else {"name": "send", "input_schema": schema}
    )
    given = call(operation, stream=stream, tools=[tool])
    if stream:
        _, raw = await streamed(of, given)
        written = json.loads(deltas(raw, "json"))
    else:
        _, body = await whole(of, given)
        written = (
            json.loads(body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])
            if operation == "chat"
            else body["content"][0]["input"]
        )
    assert written == {"to": 'say "[REDACTED]"', "phone": "[REDACTED]"}


@pytest.mark.parametrize("stream", [False, True])
async def test_structured_output_stays_json(*, stream: bool) -> None:
    of = world("one/a", answers="placeholder")
    schema = {"type": "object", "properties": {"card": {"const": 4111111111111111}, "mail": {"const": MAIL}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    given = call(stream=stream, response_format=wanted)
    text = deltas((await streamed(of, given))[1], "text") if stream else text_of((await whole(of, given))[1])
    assert json.loads(text) == {"card": "[CREDIT_CARD]", "mail": "[EMAIL]"}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("stream", [False, True])
async def test_pseudonyms_are_put_back_for_the_caller_and_sealed(operation: str, *, stream: bool) -> None:
    of = world("one/a", prompts="pseudonym", restore=True, record_content=True)
    asked = call(operation, messages=ASKED, user="u1", stream=stream)
    await (streamed if stream else whole)(of, asked)
    token = next(word for word in sent(of).split() if word.startswith("[EMAIL:")).rstrip(",")
    of.upstream.script(Behaviour(text=f"Shall I ask {token} again, or not?", split=9))
    again = call(operation, number=2, messages=ASKED, user="u1", stream=stream)
    answered: Any = (await (streamed if stream else whole)(of, again))[1]
    text = deltas(answered, "text") if stream else text_of(answered)
    assert text == f"Shall I ask {MAIL} again, or not?"
    assert of.records[-1].answer == f"Shall I ask {token} again, or not?"
    sealed = [e.event for e in of.log.envelopes if isinstance(e.event, PseudonymsSealed)][-1]
    assert (sealed.subject_id, sealed.category) == ("subject-of-acme-u1", "requests")
    assert isinstance(sealed.originals, tuple)
    assert dict(zip(sealed.tokens, sealed.originals, strict=True))[token] == MAIL


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_blocked_prompts_reach_nobody(operation: str) -> None:
    of = world("one/a", prompts="block", record_content=True)
    error = await refused(of, call(operation, messages=ASKED))
    assert (error.status, error.code) == (400, "pii_blocked")
    assert "1 EMAIL, 1 PHONE" in error.message
    assert MAIL not in error.message
    assert of.upstream.requests == []
    assert (of.record.error_code, of.record.attempts) == ("pii_blocked", ())
    assert MAIL not in str(of.record.prompt)


async def test_blocked_answers_are_paid_for_and_withheld() -> None:
    of = world("one/a", answers="block")
    of.upstream.script(Behaviour(text=SAID))
    error = await refused(of, call())
    assert (error.status, error.code) == (400, "pii_blocked")
    assert of.record.usage is not None
    assert of.record.error_code == "pii_blocked"


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_stream_ends_where_its_answer_is_blocked(operation: str) -> None:
    of = world("one/a", answers="block")
    of.upstream.script(Behaviour(text=SAID))
    _, body = await streamed(of, call(operation, stream=True))
    assert MAIL.encode() not in body
    assert b"pii_blocked" in body
    assert (of.record.outcome, of.record.error_code) == ("failed", "pii_blocked")
    assert of.record.usage is not None


async def test_a_detector_that_fails_lets_nothing_pass_or_be_stored() -> None:
    of = World(rules("one/a", pii=PiiPolicy(prompts="redact"), record_content=True), plans=BrokenPlans())
    error = await refused(of, call(messages=ASKED))
    assert (error.status, error.code) == (503, "pii_scrubbing_failed")
    assert of.upstream.requests == []
    assert (of.record.prompt, of.record.error_code) == (None, "pii_scrubbing_failed")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_detector_that_fails_on_an_answer_withholds_it(*, stream: bool) -> None:
    of = World(rules("one/a", pii=PiiPolicy(answers="redact"), record_content=True), plans=BrokenPlans())
    of.upstream.script(Behaviour(text=SAID))
    if stream:
        _, body = await streamed(of, call(stream=True))
        assert PHONE.encode() not in body
        assert b"pii_scrubbing_failed" in body
    else:
        assert (await refused(of, call())).code == "pii_scrubbing_failed"
    assert of.record.answer is None


async def test_prose_streams_word_by_word() -> None:
    of = world("one/a", answers="placeholder")
    of.upstream.script(
        Behaviour(text="There is nothing personal in these many words about the old weather here.")
    )
    served = await of.gateway.serve(call(stream=True))
    assert isinstance(served, Streamed)
    chunks = [chunk async for chunk in served.chunks]
    assert len([chunk for chunk in chunks if deltas(chunk, "text")]) > 5


async def test_a_rules_own_word_counts() -> None:
    of = World(rules("one/a", pii=PiiPolicy(prompts="redact")))
    assert of.policy_set is not None
    off = rules("one/a").rules[0]
    of.policy_set = rules("one/a", pii=PiiPolicy(prompts="redact"))
    assert off.pii is None
    await whole(of, call(messages=ASKED))
    assert MAIL not in sent(of)


async def test_without_a_policy_nothing_is_searched() -> None:
    of = World(rules("one/a"), plans=BrokenPlans())
    await whole(of, call(messages=ASKED))
    assert MAIL in sent(of)
    assert of.record.pii is None
