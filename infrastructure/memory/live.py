"""Memory of one API process, put together: policies in memory, writing's ports, searching."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from application.bus import Bus, Caller, Outcome
from application.memory.ports import MemoryPorts
from application.memory.searching import MemorySearch, SearchFilters
from application.processes.memory_extraction import Asks, Conversation, MemoryExtraction
from domain.kernel.errors import Unavailable
from domain.kernel.events import Envelope
from domain.memory.memory_check import moment_of
from domain.memory.policy import ALL_ENTITIES, PolicyBook
from infrastructure.database.engines import with_options
from infrastructure.embeddings.configured import configured_embeddings
from infrastructure.erasure.governance import Governance
from infrastructure.memory.freshness import Freshness
from infrastructure.memory.recall import RecallWatch
from infrastructure.memory.search import Reading, SearchEngine
from infrastructure.pii import LivePii
from infrastructure.runtime import Runtime
from infrastructure.settings import Settings
from infrastructure.telemetry.metrics import Metrics
from projections.memory import live
from projections.memory.answers import SearchResult
from projections.memory.live import MemoryPolicies
from projections.memory.queries import same_words
from projections.memory.search import PLAINLY, Vector, by_meaning
from projections.memory.tables import memories
from projections.memory.visible import MemoryFilters, visible
from projections.wait import ProjectionWaiter

ALIKE = 0.92
"""Cosine similarity from which two facts about one person are taken for the same."""


class LiveMemory:
    """Make it inside the event loop; fold control events of TYPES into `policies`, then `start` it."""

    TYPES: ClassVar[tuple[str, ...]] = (*live.TYPES, *Governance.TYPES)

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        reading: Reading,
        clock: Callable[[], datetime],
        metrics: Metrics,
        pii: LivePii,
    ) -> None:
        self.policies = MemoryPolicies()
        self.governance = Governance(settings, runtime, reading, clock, pii.originals.about)
        self.embedder = configured_embeddings(settings)
        self.scrubbing = pii.scrubbing
        self._reference = runtime.keyring.subject_reference
        self._reading = reading
        self._clock = clock
        self._waiter: ProjectionWaiter | None = None
        self._extraction: MemoryExtraction | None = None
        self._freshness = Freshness(runtime.log.head, self._caught_up)
        self._recall = RecallWatch(reading, runtime.committer.append, clock, metrics.observe_recall)
        system = runtime.engine(with_options(runtime.where.system_dsn, PLAINLY), size=3)
        system = system.execution_options(isolation_level="AUTOCOMMIT")
        self._engine = SearchEngine(self.embedder, reading, system, self._freshness, clock, self._recall)

    def apply(self, envelope: Envelope[Any]) -> None:
        """Fold one control event."""
        self.policies.apply(envelope)
        self.governance.directory.apply(envelope)

    @property
    def ports(self) -> MemoryPorts:
        """Return what memory's handlers need."""
        return MemoryPorts(
            policies=self.policies.book,
            require_free=self.governance.directory.require_free,
            scrubbing=self.scrubbing,
            entities=ALL_ENTITIES,
            reference=self._reference,
            duplicates=self._duplicates,
        )

    def book(self, tenant: str) -> PolicyBook:
        """Return the memory policies of a tenant, and what is being erased."""
        book = self.policies.book(tenant)
        return msgspec.structs.replace(book, erasing=self.governance.directory.selections(tenant))

    async def fresh(self) -> None:
        """Return when every memory stored before can be read (bounded)."""
        await self._freshness.of_texts()

    async def search(self, tenant: str, search: MemorySearch) -> SearchResult:
        """Return the best memories. Raises InvalidInput."""
        return await self._engine.search(tenant, search, self._filters(search), self.book(tenant))

    async def remember(self, conversation: Conversation, caller: Caller) -> Outcome:
        """Store what is worth it of a conversation; see `MemoryExtraction.remember`."""
        if self._extraction is None:
            raise Unavailable("gateway", "this process has no gateway to extract facts with", 1.0)
        return await self._extraction.remember(conversation, caller)

    def extract_with(self, gateway: Asks, bus: Bus, local_model: str) -> None:
        """Let conversations be read by models behind the gateway; `local_model` where texts must stay."""
        self._extraction = MemoryExtraction(gateway, bus.dispatch, self.ports, self._clock, local_model)

    def start(self, waiter: ProjectionWaiter) -> None:
        """Begin to wait for read models by `waiter`."""
        self._waiter = waiter
        self.governance.start()

    async def close(self) -> None:
        """Let go of the model and of what is being measured, and write what waits for the audit log."""
        await self.governance.close()
        await self._recall.close()
        await self.embedder.aclose()

    def _filters(self, search: MemorySearch) -> MemoryFilters:
        asked, now = search.filters or SearchFilters(), self._clock()
        category = asked.category
        return MemoryFilters(
            categories=(category,) if isinstance(category, str) else category or (),
            subject_id=asked.subject_id,
            user_id=asked.user_id,
            agent_id=asked.agent_id,
            session_id=asked.session_id,
            metadata=asked.metadata,
            since=moment_of(asked.after, now, "/filters/after") if asked.after else None,
            until=moment_of(asked.before, now, "/filters/before") if asked.before else None,
        )

    async def _caught_up(self, position: int, projections: Sequence[str], timeout_s: float) -> bool:
        return self._waiter is None or await self._waiter.caught_up(position, projections, timeout_s)

    async def _duplicates(
        self, tenant: str, subject: str, category: str, texts: Sequence[str]
    ) -> Mapping[int, str]:
        """Find by words, then by meaning where a model answers; see `Duplicates`."""
        await self.fresh()
        async with self._reading(tenant) as conn:
            by_text = await same_words(conn, subject, category, texts)
        found = {n: by_text[key] for n, text in enumerate(texts) if (key := text.strip().lower()) in by_text}
        rest = [number for number in range(len(texts)) if number not in found]
        try:
            vectors = await self.embedder.embed([texts[number] for number in rest]) if rest else []
        except Unavailable:
            return found
        async with self._reading(tenant) as conn:
            conditions = [
                *visible(MemoryFilters(categories=(category,)), self.book(tenant), self._clock()),
                memories.c.subject == subject,
            ]
            for number, written in zip(rest, vectors, strict=True):
                vector = Vector(written, self.embedder.model, self.embedder.dimension)
                nearest = await by_meaning(conn, tenant, vector, conditions, 1, exact=True)
                if nearest and nearest[0][1] >= ALIKE:
                    found[number] = nearest[0][0]
        return found
