"""Vectors in their own time: a model that fails holds nothing up, another model means a rebuild."""

from __future__ import annotations

from datetime import UTC, datetime

from application.ports import AppendRequest, NewEvent
from domain.kernel.errors import Unavailable
from domain.memory.events import MemoryAdded
from infrastructure.memory.reembedding import follow_model, vectors_of_other_models
from projections.memory.project import MEMORIES
from projections.memory.vectors import MEMORY_VECTORS, with_embeddings
from tests.fakes.embeddings import LetterCounts
from tests.fakes.event_log import InMemoryEventLog
from tests.projections.conftest import Engines, Running, engines, reached, running
from tests.waiting import until

__all__ = ["engines", "running"]
NOW = datetime(2030, 1, 1, tzinfo=UTC)


async def add(log: InMemoryEventLog, memory_id: str, *, confined: bool = False) -> None:
    event = MemoryAdded(
        memory_id=memory_id, subject="s", category="c", occurred_at=NOW, added_at=NOW, changed_at=NOW,
        confined=confined, content=f"about {memory_id}",
    )  # fmt: skip
    facts = (NewEvent(f"acme/memory/{memory_id}", event),)
    await log.append(AppendRequest(tenant="acme", command_id=memory_id, events=facts))


async def models(engines: Engines) -> list[tuple[str, str]]:
    rows = await engines.rows("SELECT memory_id, model FROM memory_vectors ORDER BY 1")
    return [(row[0], row[1]) for row in rows]


async def test_texts_are_read_while_no_model_answers_and_vectors_catch_up(
    engines: Engines, running: Running
) -> None:
    log, model = InMemoryEventLog(), LetterCounts()
    model.broken = Unavailable("embeddings", "away")
    async with running(log, with_embeddings([MEMORIES, MEMORY_VECTORS], model)):
        await add(log, "m1")
        await reached(engines, "memories", 1)
        assert await models(engines) == []
        model.broken = None
        await reached(engines, "memory_vectors", 1)
        assert await models(engines) == [("m1", "letters")]
    parked = await engines.rows("SELECT count(*) FROM projection_parked")
    assert parked == [(0,)]


async def test_confined_texts_go_to_no_remote_model(engines: Engines, running: Running) -> None:
    log, model = InMemoryEventLog(), LetterCounts(remote=True)
    async with running(log, with_embeddings([MEMORIES, MEMORY_VECTORS], model)):
        await add(log, "m1", confined=True)
        await add(log, "m2")
        await reached(engines, "memory_vectors", 2)
    assert await models(engines) == [("m2", "letters")]
    assert model.asked == ["about m2"]


async def test_another_model_embeds_everything_again(engines: Engines, running: Running) -> None:
    log = InMemoryEventLog()
    for number in range(5):
        await add(log, f"m{number}")
    async with running(log, with_embeddings([MEMORY_VECTORS], LetterCounts())):
        await reached(engines, "memory_vectors", 5)
    newer = LetterCounts("letters-2")
    projections = with_embeddings([MEMORY_VECTORS], newer)
    assert await vectors_of_other_models(engines.system, newer.model)
    await follow_model(projections, newer, log, system=engines.system, owner=engines.owner)
    assert {model for _, model in await models(engines)} == {"letters-2"}
    assert len(await models(engines)) == 5
    async with running(log, projections):
        await add(log, "m9")

        async def there() -> bool:
            return ("m9", "letters-2") in await models(engines)

        await until(there, "the new memory has its vector")
