"""Remembers what is worth it of a conversation: memory asks a model, through the gateway like any caller.

The conversation is scrubbed by the policy of its category before the model sees it. The request goes through
policy, quota and metering, and its record has the id of the request that brought the conversation.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from application.bus import Caller, Command, Outcome
from application.memory.commands import (
    DEFAULT_CATEGORY,
    AddMemories,
    Category,
    Days,
    ExternalId,
    MemoryInput,
    Time,
)
from application.memory.handlers import WRITERS
from application.memory.pii import PseudonymOwner, ScrubRules
from application.memory.ports import MemoryPorts
from application.orchestration.dialects.requests import parse_chat
from application.ports import Clock
from application.processes.gateway.call import GatewayCall
from application.processes.gateway.outcome import Refused, Streamed, Whole
from domain.kernel.errors import InvalidInput, LimitReached, Unavailable
from domain.kernel.names import DEFAULT_WORKSPACE
from domain.memory.facts import PROMPT, conversation_text, facts_in, statements_in
from domain.memory.memory import record_subject
from domain.memory.memory_check import LONGEST_CONTENT, metadata_errors, moment_of, text_errors
from domain.memory.policy import EffectivePolicy

SEGMENT = "memory-extraction"
MOST_MESSAGES = 100
ANSWER_TOKENS = 400


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of a conversation."""

    role: Literal["user", "assistant", "system", "tool"]
    content: Annotated[str, Meta(max_length=LONGEST_CONTENT)]


class Conversation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A conversation to remember what is worth it; the other fields are those of each memory made of it."""

    messages: Annotated[tuple[Message, ...], Meta(min_length=1, max_length=MOST_MESSAGES)]
    category: Category = DEFAULT_CATEGORY
    subject_id: ExternalId | None = None
    user_id: ExternalId | None = None
    agent_id: ExternalId | None = None
    session_id: ExternalId | None = None
    metadata: dict[str, object] = {}
    occurred_at: Time | None = None
    ttl_days: Days | None = None


class Asks(Protocol):
    """The gateway's pipeline."""

    async def serve(self, call: GatewayCall) -> Whole | Streamed: ...


class MemoryExtraction:
    """Turns conversations into memories. `local_model` is asked where texts must not leave the house."""

    def __init__(
        self,
        gateway: Asks,
        dispatch: Callable[[Command, Caller], Awaitable[Outcome]],
        ports: MemoryPorts,
        clock: Clock,
        local_model: str,
    ) -> None:
        self._gateway = gateway
        self._dispatch = dispatch
        self._ports = ports
        self._clock = clock
        self._local_model = local_model

    async def remember(self, conversation: Conversation, caller: Caller) -> Outcome:
        """Store the facts of a conversation; duplicates of what is known are merged.

        Answers MemoriesAnswer, which may be empty. Raises Forbidden, InvalidInput, LimitReached, Unavailable.
        """
        caller.require(*WRITERS)
        _check(conversation)
        policy = self._ports.policies(caller.tenant).of(conversation.category)
        messages, pseudonyms = await self._scrubbed(conversation, policy, caller)
        answer = await self._ask(messages, conversation, policy, caller)
        facts = facts_in(answer, messages) or statements_in(messages)
        if not facts:
            return Outcome(None, 0)
        items = tuple(_item(fact, conversation) for fact in facts)
        command = AddMemories(
            items=items,
            merge_duplicates=True,
            request_id=caller.correlation,
            pseudonyms=pseudonyms,
            at="/messages",
        )
        return await self._dispatch(command, caller)

    async def _scrubbed(
        self, conversation: Conversation, policy: EffectivePolicy, caller: Caller
    ) -> tuple[list[tuple[str, str]], Mapping[str, str]]:
        """Return roles and texts as the model may read them, and what their pseudonyms stand for."""
        texts: list[str] = [message.content for message in conversation.messages]
        pseudonyms: Mapping[str, str] = {}
        moment = moment_of(conversation.occurred_at, self._clock())
        if policy.pii_scrubbing:
            person = conversation.subject_id or conversation.user_id
            subject = self._ports.reference(caller.tenant, person) if person else ""
            subject = subject or record_subject(caller.correlation)
            owner = PseudonymOwner(caller.tenant, subject, conversation.category, moment)
            rules = ScrubRules.of(policy.pii_mode, policy.pii_entities)
            clean = await self._ports.scrubbing.scrub(texts, rules, owner)
            texts, pseudonyms = clean.value, clean.pseudonyms
        roles = [message.role for message in conversation.messages]
        return list(zip(roles, texts, strict=True)), pseudonyms

    async def _ask(
        self,
        messages: list[tuple[str, str]],
        conversation: Conversation,
        policy: EffectivePolicy,
        caller: Caller,
    ) -> str:
        body = {
            "model": self._local_model if policy.confined else "auto",
            "messages": [
                {"role": "system", "content": PROMPT},
                {"role": "user", "content": conversation_text(messages)},
            ],
            "max_tokens": ANSWER_TOKENS,
            "temperature": 0,
        }
        call = GatewayCall(
            caller=caller,
            request=parse_chat(msgspec.json.encode(body)),
            request_id=caller.correlation,
            started=time.monotonic(),
            started_at=self._clock(),
            workspace=caller.workspace or DEFAULT_WORKSPACE,
            segment=SEGMENT,
            session=conversation.session_id,
            user=conversation.subject_id or conversation.user_id,
            fallback_off=policy.confined,
        )
        try:
            answer = await self._gateway.serve(call)
        except Refused as refused:
            if refused.status == 429:
                raise LimitReached(refused.message) from refused
            raise Unavailable("gateway", f"no model extracted the facts: {refused.message}", 5.0) from refused
        return _text_of(answer)


def _check(conversation: Conversation) -> None:
    errors = [
        error
        for number, message in enumerate(conversation.messages)
        for error in text_errors(message.content, f"/messages/{number}/content")
    ]
    errors += metadata_errors(conversation.metadata, "/metadata")
    if sum(len(message.content) for message in conversation.messages) > 2 * LONGEST_CONTENT:
        raise InvalidInput.at("/messages", f"more than {2 * LONGEST_CONTENT} characters; send them in parts")
    if not any(message.content.strip() for message in conversation.messages):
        raise InvalidInput.at("/messages", "nothing was said; give at least one message with a text")
    if errors:
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}", errors)


def _item(fact: str, conversation: Conversation) -> MemoryInput:
    fields = {
        name: getattr(conversation, name) for name in MemoryInput.__struct_fields__ if name != "content"
    }
    return MemoryInput(content=fact, **fields)


class _Said(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Said


class _Answer(msgspec.Struct):
    choices: list[_Choice]


def _text_of(answer: Whole | Streamed) -> str:
    if not isinstance(answer, Whole):
        return ""
    try:
        choices = msgspec.json.decode(answer.body, type=_Answer).choices
    except msgspec.DecodeError:
        return ""
    return (choices[0].message.content or "") if choices else ""
