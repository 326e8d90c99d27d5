"""Conversations become memories through the gateway: scrubbed first, grounded, merged, kept in the house."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from application.binding import bind
from application.bus import Bus, Caller
from application.memory.handlers import HANDLERS
from application.memory.pii import PiiScrubbing, PseudonymOwner
from application.memory.pii_phone_plans import LibraryPhonePlans
from application.memory.ports import MemoryPorts
from application.processes.gateway.call import GatewayCall
from application.processes.gateway.outcome import Refused, Whole
from application.processes.memory_extraction import Conversation, MemoryExtraction, Message
from domain.kernel.errors import Forbidden, InvalidInput, LimitReached, Unavailable
from domain.kernel.pii import ScrubMode
from domain.memory.pii.scrubbing import KeyedFunction
from domain.memory.policy import ALL_ENTITIES, MemoryRules, PolicyBook
from tests.fakes.event_log import InMemoryEventLog

AT = datetime(2030, 1, 1, tzinfo=UTC)
SAID = Conversation(
    messages=(
        Message(role="user", content="I drink oolong tea. Mail me at anna@example.com."),
        Message(role="assistant", content="Noted."),
    ),
    user_id="anna",
)


class Model:
    """A gateway whose model gives one answer, or refuses."""

    def __init__(self, answer: str | Refused = "- Drinks oolong tea") -> None:
        self.answer = answer
        self.calls: list[GatewayCall] = []

    async def serve(self, call: GatewayCall) -> Whole:
        self.calls.append(call)
        if isinstance(self.answer, Refused):
            raise self.answer
        body = {"choices": [{"message": {"role": "assistant", "content": self.answer}}]}
        return Whole(200, json.dumps(body).encode(), {})


class Everywhere:
    """Read models that are always new."""

    async def caught_up(self, position: int, projections: Sequence[str] = (), timeout_s: float = 2.0) -> bool:
        return True

    async def everywhere(self, position: int, timeout_s: float = 5.0) -> bool:
        return True


class MonthKeys:
    """Keyed functions that differ by owner, and whose they were."""

    def __init__(self) -> None:
        self.owners: list[PseudonymOwner] = []

    async def keyed(self, owner: PseudonymOwner) -> KeyedFunction:
        self.owners.append(owner)
        return lambda data: hmac.digest(repr(owner).encode(), data, hashlib.sha256)


class World:
    """Memory on an in-memory log."""

    def __init__(self, model: Model, rules: MemoryRules | None = None) -> None:
        self.keys = MonthKeys()
        self.log = InMemoryEventLog()
        self.twins: dict[str, str] = {}
        book = PolicyBook(rules)
        ports = MemoryPorts(
            policies=lambda _tenant: book,
            scrubbing=PiiScrubbing(LibraryPhonePlans(), self.keys),
            entities=ALL_ENTITIES,
            reference=lambda tenant, person: f"s_{tenant}_{person}",
            duplicates=self.duplicates,
        )
        bus = Bus(bind(HANDLERS, ports), self.log, lambda: AT, Everywhere())
        self.extraction = MemoryExtraction(model, bus.dispatch, ports, lambda: AT, "local/small")

    async def duplicates(
        self, tenant: str, subject: str, category: str, texts: Sequence[str]
    ) -> Mapping[int, str]:
        return {n: self.twins[text] for n, text in enumerate(texts) if text in self.twins}

    async def remember(self, conversation: Conversation = SAID, number: int = 1, **caller: Any) -> Any:
        fields = {"roles": frozenset({"service"}), "correlation": f"req_{number}"} | caller
        asker = Caller(tenant="acme", actor="key/k", command_id=f"cmd_{number}", **fields)
        return (await self.extraction.remember(conversation, asker)).result


async def test_facts_become_memories_of_the_person_with_the_requests_id() -> None:
    model = Model()
    made = await World(model).remember()
    (item,) = made.items
    assert (item.content, item.user_id, item.origin) == ("Drinks oolong tea", "anna", "extracted")
    (call,) = model.calls
    assert (call.request_id, call.segment, call.user) == ("req_1", "memory-extraction", "anna")
    assert call.request.model == "auto"


async def test_the_model_sees_only_what_was_scrubbed() -> None:
    model = Model("- Mail: [EMAIL]")
    await World(model).remember()
    asked = model.calls[0].request.raw.decode()
    assert "anna@example.com" not in asked
    assert "[EMAIL]" in asked


async def test_pseudonyms_of_the_conversation_are_sealed_in_the_memories_that_hold_them() -> None:
    rules = MemoryRules(pii_scrubbing=True, pii_mode=ScrubMode.PSEUDONYM)
    world = World(Model("NONE"), rules)
    said = msgspec.structs.replace(SAID, user_id=None, occurred_at="2029-06-01T00:00:00Z")
    tea, mail = (await world.remember(said)).items
    events = {envelope.event.memory_id: envelope.event for envelope in world.log.envelopes}
    assert tea.content == "I drink oolong tea."
    assert (events[tea.id].tokens, events[tea.id].details.pseudonyms) == ((), {})
    assert list(events[mail.id].details.pseudonyms.values()) == ["anna@example.com"]
    assert mail.content == f"Mail me at {events[mail.id].tokens[0]}."
    asked = world.keys.owners[0]
    assert (asked.subject, asked.moment) == ("record:req_1", datetime(2029, 6, 1, tzinfo=UTC))


async def test_what_the_model_made_up_is_replaced_by_what_was_said() -> None:
    made = await World(Model("- The user is an astronaut")).remember()
    assert [item.content for item in made.items] == ["I drink oolong tea.", "Mail me at [EMAIL]."]


async def test_what_is_known_is_merged() -> None:
    world = World(Model())
    (first,) = (await world.remember()).items
    world.twins["Drinks oolong tea"] = first.memory_id
    (again,) = (await world.remember(number=2)).items
    assert (again.memory_id, again.outcome) == (first.memory_id, "merged")


@pytest.mark.parametrize("mode", ["hipaa", "strict"])
async def test_confined_categories_ask_the_local_model_alone(mode) -> None:
    model = Model()
    await World(model, MemoryRules(compliance_mode=mode)).remember()
    (call,) = model.calls
    assert (call.request.model, call.fallback_off) == ("local/small", True)


async def test_nothing_worth_remembering_is_no_error() -> None:
    small_talk = Conversation(messages=(Message(role="user", content="What time is it?"),))
    assert await World(Model("NONE")).remember(small_talk) is None


@pytest.mark.parametrize(
    ("status", "error"), [(429, LimitReached), (503, Unavailable), (504, Unavailable), (400, Unavailable)]
)
async def test_a_refusal_of_the_gateway_stores_nothing(status, error) -> None:
    world = World(Model(Refused(status, "code", "told why")))
    with pytest.raises(error, match="told why"):
        await world.remember()
    assert await world.log.head() == 0


@pytest.mark.parametrize(
    ("messages", "pointer"),
    [
        ([Message(role="user", content="  ")], "/messages"),
        ([Message(role="user", content="a"), Message(role="user", content="b\x07")], "/messages/1/content"),
        ([Message(role="user", content="x" * 32_000)] * 3, "/messages"),
    ],
)
async def test_unusable_conversations_are_refused_before_anybody_is_asked(messages, pointer) -> None:
    model = Model()
    with pytest.raises(InvalidInput) as refused:
        await World(model).remember(Conversation(messages=tuple(messages)))
    assert refused.value.errors[0].pointer == pointer
    assert model.calls == []


async def test_auditors_do_not_write() -> None:
    with pytest.raises(Forbidden):
        await World(Model()).remember(roles=frozenset({"auditor"}))
