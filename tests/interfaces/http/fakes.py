"""The product as routes see it, without the product: known keys, a bus that records, a memory of answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from application.bus import Caller, Command, Outcome
from application.event_listing import EventFilter
from application.idempotency import Answer, Attempt
from domain.kernel.errors import Unauthenticated, Unavailable
from domain.kernel.events import Envelope
from domain.orchestration.connection import Connection
from domain.tenancy.principal import Principal
from interfaces.http.services import Services
from interfaces.http.tracing import Served
from projections.usage.quota_live import QuotaDirectory

NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
ROLES = ("platform", "admin", "operator", "auditor", "service")


class FakeClock:
    """A clock that stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


class FakeKeys:
    """One key per role, named after it: `key-admin`, `key-auditor` ...; all of tenant `acme`."""

    def __init__(self) -> None:
        self.principals = {
            f"key-{role}": Principal("acme", f"id{role}", role, frozenset({role})) for role in ROLES
        }

    def authenticate(self, key: str) -> Principal:
        if key not in self.principals:
            raise Unauthenticated("this API key is not known")
        return self.principals[key]

    def principal_of(self, tenant: str, key_id: str) -> Principal:
        for principal in self.principals.values():
            if (principal.tenant, principal.key_id) == (tenant, key_id):
                return principal
        raise Unauthenticated("this API key was revoked")

    def revoke(self, key: str) -> None:
        del self.principals[key]


class FakeBus:
    """Records commands and answers what a test prepared for their type, at growing positions."""

    def __init__(self) -> None:
        self.sent: list[tuple[Command, Caller]] = []
        self.answers: dict[type[Command], Any] = {}
        self.before_answer: Callable[[], Any] | None = None

    async def dispatch(self, command: Command, caller: Caller) -> Outcome:
        self.sent.append((command, caller))
        if self.before_answer is not None:
            await self.before_answer()
        answer = self.answers.get(type(command))
        if isinstance(answer, Exception):
            raise answer
        return Outcome(answer, len(self.sent))

    @property
    def commands(self) -> list[Command]:
        return [command for command, _ in self.sent]


@dataclass
class Kept:
    fingerprint: bytes
    command_id: str
    owner: str
    alive: bool = True
    answer: Answer | None = None


class FakeIdempotency:
    """Keeps keys in memory; `alive` stands for the lease."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Kept] = {}

    async def begin(
        self, tenant: str, key: str, *, fingerprint: bytes, owner: str, command_id: str
    ) -> Attempt:
        kept = self.kept.setdefault((tenant, key), Kept(fingerprint, command_id, owner))
        if kept.fingerprint != fingerprint:
            return Attempt(state="other")
        if kept.answer is not None:
            return Attempt(state="answered", answer=kept.answer)
        if kept.owner != owner and kept.alive:
            return Attempt(state="running")
        self.kept[tenant, key] = replace(kept, owner=owner, alive=True)
        return Attempt(state="owned", command_id=kept.command_id)

    async def renew(self, tenant: str, key: str, owner: str) -> None:
        self.kept[tenant, key].alive = True

    async def finish(self, tenant: str, key: str, owner: str, answer: Answer) -> None:
        self.kept[tenant, key].answer = answer

    async def release(self, tenant: str, key: str, owner: str) -> None:
        self.kept[tenant, key].alive = False


class Absent:
    """Stands for a service that these tests do without."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, _attribute: str) -> Any:
        raise Unavailable(self._name, f"there is no {self._name} in this test")

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise Unavailable(self._name, f"there is no {self._name} in this test")


class FakeGateway:
    """A gateway that no test of these routes calls."""

    def models(self, tenant: str) -> list[str]:
        return ["local/smollm2"]

    async def serve(self, call: Any) -> Any:
        raise Unavailable("gateway", "there are no providers in this test")


class FakeListing:
    """A log that answers what a test put in, and remembers what it was asked."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope[Any]] = []
        self.asked: list[tuple[str, EventFilter, int, bool]] = []

    async def __call__(
        self, tenant: str, wanted: EventFilter, *, limit: int, newest_first: bool = False
    ) -> list[Envelope[Any]]:
        self.asked.append((tenant, wanted, limit, newest_first))
        return self.envelopes[:limit]


class FakeQuotas:
    """No limits at all."""

    def __init__(self) -> None:
        self.directory = QuotaDirectory()

    def subject_reference(self, tenant: str, user: str, /) -> str:
        return f"subject-of-{tenant}-{user}"

    async def tell(self) -> None:
        return None


@dataclass
class World:
    """Everything a test may turn or look at."""

    dist: Path
    clock: FakeClock = field(default_factory=FakeClock)
    keys: FakeKeys = field(default_factory=FakeKeys)
    bus: FakeBus = field(default_factory=FakeBus)
    idempotency: FakeIdempotency = field(default_factory=FakeIdempotency)
    observed: list[Served] = field(default_factory=list)
    probes: dict[str, Any] = field(default_factory=dict)
    connections: list[Connection] = field(default_factory=list)
    events: FakeListing = field(default_factory=FakeListing)

    def services(self, **changes: Any) -> Services:
        """Return the services of this world."""

        async def nothing() -> None:
            return None

        def unreachable(tenant: str) -> Any:
            raise Unavailable("database", f"there is no database behind tenant {tenant} in this test")

        absent = {each.name: Absent(each.name) for each in fields(Services)}
        return Services(
            **{
                **absent,
                "largest_body": 1024 * 1024,
                "body_timeout_s": 30.0,
                "version": "1.2.3",
                "clock": self.clock,
                "bus": self.bus,
                "gateway": FakeGateway(),
                "authenticate": self.keys.authenticate,
                "principal_of": self.keys.principal_of,
                "session_secret": b"s" * 32,
                "idempotency": self.idempotency,
                "probes": self.probes,
                "reading": unreachable,
                "read_barrier": nothing,
                "connections": lambda tenant: self.connections,
                "list_events": self.events,
                "timetable_of": lambda definition, settings: None,
                "quotas": FakeQuotas(),
                "simulator": None,
                "target_status": lambda tenant, provider, model: None,
                "observe_request": self.observed.append,
                "render_metrics": lambda: (b"aios_up 1\n", "text/plain; version=1.0.0; charset=utf-8"),
                "web_dist": self.dist,
                **changes,
            }
        )
