"""Keeps unhealthy targets out of routes: breakers in memory, fed by every attempt, shared by a port.

The request path neither waits nor does I/O here. A background task (`infrastructure/health`) exchanges
reports with the other processes and fetches the leases of half-open targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from application.orchestration.health_routes import least_bad, without
from domain.kernel.request_record import Attempt
from domain.orchestration.breaker import Breaker, Figures, Gate, Seen
from domain.orchestration.budget import Pace
from domain.orchestration.catalogue import Target
from domain.orchestration.failures import classify
from domain.orchestration.health_events import HealthStatus
from domain.orchestration.latencies import bin_of
from domain.orchestration.routing import Route, Scores

THROTTLED_WITHOUT_WORD_S = 10.0
WANTED_FOR_S = 60.0
PROBE_S = 30.0
MOST_TARGETS = 10_000
SKIPPED_FOR_NOW = ("unhealthy: ", "throttled: ", "too_slow: ")
"""How the reasons begin for which a decision skips a target that others of the moment may call."""


class Key(NamedTuple):
    """Whose traffic judges which model of which provider under which credential."""

    tenant: str
    provider: str
    model: str
    credential: str


class Change(msgspec.Struct, frozen=True):
    """A target's status became another by what this process saw."""

    key: Key
    previous: HealthStatus
    status: HealthStatus
    reason: str
    figures: Figures


class LiveStatus(msgspec.Struct, frozen=True):
    """How a target fares at this moment."""

    status: HealthStatus
    reason: str
    figures: Figures


class TargetHealth:
    """The breakers of one process; used from its event loop alone.

    `credential_of(tenant, provider)` names the credential in use. `now` is the time in seconds since the
    epoch, the same on all machines within a second.
    """

    def __init__(self, credential_of: Callable[[str, str], str], now: Callable[[], float]) -> None:
        self._credential_of = credential_of
        self._now = now
        self._breakers: dict[Key, Breaker] = {}
        self._reported: dict[Key, HealthStatus] = {}
        self._unsent: dict[Key, Seen] = {}
        self._changes: list[Change] = []
        self._wanted: dict[Key, float] = {}
        self._granted: set[Key] = set()
        self._probing: dict[Key, float] = {}
        self._finished: set[Key] = set()

    # The gateway's side

    def filter(self, tenant: str, route: Route, *, probing: bool = True) -> Route:
        """Return the route without targets that must rest; each goes to the decision's `skipped`.

        A half-open target stays first only for the one request that holds its lease, and stays among the
        fallbacks. When all must rest, all stay, the least bad first, and the decision says so. Without
        `probing` no lease is used up.
        """
        now = self._now()
        found = [(target, self._gate(tenant, target, now)) for target in route.targets]
        if all(gate == "free" for _, (_, gate) in found):
            return route
        kept: list[Target] = []
        skipped: list[tuple[str, str]] = []
        for target, (key, gate) in found:
            if gate == "free" or (gate == "half_open" and (kept or self._lease(key, now, probing))):
                kept.append(target)
            else:
                self._wanted[key] = now
                skipped.append((str(target), self._why(key, gate)))
        if not kept:
            return least_bad(
                route, [t for t, (key, _) in sorted(found, key=lambda f: self._bad(f[1][0], now))]
            )
        return without(route, kept, skipped, found[0][1][1]) if skipped else route

    def observe(
        self, tenant: str, attempt: Attempt, retry_after_s: float | None = None, *, streamed: bool = True
    ) -> None:
        """Take an ended attempt in; what is the client's or our own doing says nothing of the target."""
        key = Key(tenant, attempt.provider, attempt.model, attempt.credential)
        if self._probing.pop(key, None) is not None:
            self._finished.add(key)
        seen = self._seen(key, attempt, retry_after_s, streamed)
        if seen is None or (key not in self._breakers and len(self._breakers) >= MOST_TARGETS):
            return
        breaker = self._breakers.setdefault(key, Breaker())
        breaker.fold(seen)
        self._unsent[key] = self._unsent[key].then(seen) if key in self._unsent else seen
        self._note(key, breaker)

    def status(self, tenant: str, provider: str, model: str) -> LiveStatus | None:
        """Return how a target fares now under its present credential; None when nothing is known of it."""
        breaker = self._breakers.get(self._key(tenant, Target(provider, model)))
        now = self._now()
        if breaker is None or breaker.status(now) == "unknown":
            return None
        return LiveStatus(breaker.status(now), breaker.reason, breaker.figures(now))

    def first_content(self, tenant: str) -> Scores:
        """Return the median time to first content by `provider/model`, looked up when asked for."""
        return _FirstContent(self, tenant)

    def typical_ms(self, tenant: str, target: Target, share: float = 0.5) -> float | None:
        """Return a quantile of a target's time to first content in ms; None when never measured."""
        breaker = self._breakers.get(self._key(tenant, target))
        return breaker.typical_ms(self._now(), share) if breaker else None

    def pace(self, tenant: str, target: Target, *, streamed: bool) -> Pace | None:
        """Return how long a target's answers of a kind take; None when none was measured lately."""
        breaker = self._breakers.get(self._key(tenant, target))
        return breaker.pace(self._now(), streamed=streamed) if breaker else None

    # The exchange's side

    def unsent(self) -> list[tuple[Key, Seen]]:
        """Return what was seen since the last call, for the other processes."""
        found, self._unsent = list(self._unsent.items()), {}
        return found

    def absorb(self, reports: Iterable[tuple[Key, Seen]]) -> None:
        """Take in what other processes saw; they record the changes that it makes."""
        for key, seen in reports:
            breaker = self._breakers.setdefault(key, Breaker())
            breaker.fold(seen)
            self._reported[key] = breaker.status(self._now())

    def changes(self) -> list[Change]:
        """Return the changes of status that this process brought about since the last call."""
        found, self._changes = self._changes, []
        return found

    def lacking_leases(self) -> list[Key]:
        """Return half-open targets that requests asked for lately and nobody here may call."""
        now = self._now()
        return [
            key
            for key, asked in self._wanted.items()
            if now - asked <= WANTED_FOR_S
            and key not in self._granted
            and key not in self._probing
            and self.half_open(key)
        ]

    def half_open(self, key: Key) -> bool:
        """Tell whether a target waits for a probe."""
        breaker = self._breakers.get(key)
        return breaker is not None and breaker.gate(self._now()) == "half_open"

    def grant(self, key: Key) -> None:
        """Let the next request that asks for a half-open target call it; the lease is held."""
        self._granted.add(key)

    def withdraw(self, key: Key) -> bool:
        """Take back a lease that nobody used; False when a request already did."""
        if key not in self._granted:
            return False
        self._granted.discard(key)
        return True

    def finished(self) -> list[Key]:
        """Return the targets whose probe ended, or got lost, since the last call: their leases are free."""
        lost = [key for key, since in self._probing.items() if self._now() - since > PROBE_S]
        for key in lost:
            del self._probing[key]
        found, self._finished = [*self._finished, *lost], set()
        return found

    def tidy(self) -> None:
        """Forget targets without requests for long."""
        now = self._now()
        for key in [key for key, breaker in self._breakers.items() if breaker.forgettable(now)]:
            del self._breakers[key]
            self._reported.pop(key, None)
        self._wanted = {k: asked for k, asked in self._wanted.items() if now - asked <= WANTED_FOR_S}

    def _key(self, tenant: str, target: Target) -> Key:
        credential = self._credential_of(tenant, target.provider)
        return Key(tenant, target.provider, target.model, credential)

    def _gate(self, tenant: str, target: Target, now: float) -> tuple[Key, Gate]:
        key = self._key(tenant, target)
        breaker = self._breakers.get(key)
        return key, breaker.gate(now) if breaker else "free"

    def _lease(self, key: Key, now: float, probing: bool) -> bool:
        if not probing or key not in self._granted:
            return False
        self._granted.discard(key)
        self._probing[key] = now
        self._wanted[key] = now
        return True

    def _bad(self, key: Key, now: float) -> tuple[int, float, float]:
        return self._breakers[key].badness(now)

    def _why(self, key: Key, gate: Gate) -> str:
        if gate == "throttled":
            return "throttled: the provider asked to be left alone for a while"
        return f"unhealthy: {self._breakers[key].reason}"

    def _seen(self, key: Key, attempt: Attempt, retry_after_s: float | None, streamed: bool) -> Seen | None:
        now = self._now()
        breaker = self._breakers.get(key)
        if breaker is not None and breaker.outdated(now - attempt.duration_ms / 1000):
            return None
        if attempt.outcome == "ok":
            return _succeeded(now, attempt, streamed)
        try:
            verdict = classify(attempt.outcome, attempt.status)
        except ValueError:  # cancelled by the client, refused by our own quota ...
            return None
        if verdict.throttled:
            wait_s = THROTTLED_WITHOUT_WORD_S if retry_after_s is None else retry_after_s
            return Seen(at=now, throttled_until=now + wait_s)
        if not verdict.counts or self._hurried(key, attempt, streamed):
            return None
        return Seen(at=now, failed=1, trailing=1)

    def _hurried(self, key: Key, attempt: Attempt, streamed: bool) -> bool:
        """Tell whether a timeout came before the target usually answers: haste of ours, not its fault."""
        breaker = self._breakers.get(key)
        if attempt.outcome != "timeout_first_byte" or breaker is None:
            return False
        usual = breaker.typical_ms(self._now(), 0.95, streamed=streamed)
        if usual is None or attempt.duration_ms >= usual:
            return False
        breaker.still_slow(self._now(), streamed=streamed)
        return True

    def _note(self, key: Key, breaker: Breaker) -> None:
        now = self._now()
        status, previous = breaker.status(now), self._reported.get(key, "unknown")
        self._reported[key] = status
        if status != previous and (previous, status) != ("unknown", "healthy"):
            self._changes.append(Change(key, previous, status, breaker.reason, breaker.figures(now)))


def _succeeded(now: float, attempt: Attempt, streamed: bool) -> Seen:
    latency = attempt.duration_ms if attempt.first_content_ms is None else attempt.first_content_ms
    bins = {bin_of(latency): 1}
    return Seen(at=now, ok=1, bins=bins) if streamed else Seen(at=now, ok=1, whole=bins)


class _FirstContent:
    def __init__(self, health: TargetHealth, tenant: str) -> None:
        self._health = health
        self._tenant = tenant

    def get(self, target: str, default: float, /) -> float:
        """Return the median of `provider/model`, `default` when it was never measured."""
        provider, _, model = target.partition("/")
        found = self._health.typical_ms(self._tenant, Target(provider, model))
        return default if found is None else found
