"""One alert when a provider begins to refuse our credential, one all-clear when it takes it again."""

from __future__ import annotations

from datetime import UTC, datetime

from application.orchestration.credentials import CredentialAlerts, CredentialWatch
from domain.kernel.request_record import Attempt
from domain.orchestration.credential_events import ProviderCredentialAccepted, ProviderCredentialRefused
from tests.fakes.event_log import InMemoryEventLog

AT = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)


def attempt(outcome: str = "ok", status: int | None = None, *, credential: str = "c1") -> Attempt:
    return Attempt(
        provider="up",
        model="m",
        outcome=outcome,
        status=status,
        credential=credential,
        started_ms=0,
        duration_ms=1,
    )


class Process:
    """One API process: its watch follows the log as far as `catch_up` was called."""

    def __init__(self, log: InMemoryEventLog) -> None:
        self.log = log
        self.in_use = "c1"
        self.watch = CredentialWatch(lambda _tenant, _provider: self.in_use)
        self.alerts = CredentialAlerts(self.watch, log, lambda: AT)

    async def meets(self, *attempts: Attempt) -> None:
        for each in attempts:
            self.watch.observe("acme", each)
        await self.alerts.record()

    def catch_up(self) -> None:
        for envelope in self.log.envelopes:
            self.watch.apply(envelope)

    @property
    def told(self) -> list[type]:
        return [type(envelope.event) for envelope in self.log.envelopes]


async def test_many_refusals_are_one_alert_on_all_processes() -> None:
    log = InMemoryEventLog()
    one, other = Process(log), Process(log)
    await one.meets(*[attempt("status", 401)] * 3)
    await other.meets(attempt("status", 403))
    one.catch_up()
    await one.meets(attempt("status", 402))
    assert one.told == [ProviderCredentialRefused]
    (event,) = [envelope.event for envelope in log.envelopes]
    assert (event.provider, event.credential, event.model, event.status) == ("up", "c1", "m", 401)
    found = one.watch.refusal("acme", "up")
    assert found is not None
    assert found.status == 401


async def test_it_is_cleared_once_when_the_provider_takes_the_credential_again() -> None:
    process = Process(InMemoryEventLog())
    await process.meets(attempt("status", 401))
    process.catch_up()
    await process.meets(attempt(), attempt())
    process.catch_up()
    await process.meets(attempt())
    assert process.told == [ProviderCredentialRefused, ProviderCredentialAccepted]
    assert process.watch.refusal("acme", "up") is None


async def test_what_succeeds_without_an_alert_is_no_event() -> None:
    process = Process(InMemoryEventLog())
    await process.meets(attempt(), attempt("status", 500), attempt("status", 400), attempt("cancelled", 200))
    assert process.told == []


async def test_another_credential_is_another_alert_and_ends_the_old_one() -> None:
    process = Process(InMemoryEventLog())
    await process.meets(attempt("status", 401))
    process.catch_up()
    process.in_use = "c2"
    assert process.watch.refusal("acme", "up") is None
    await process.meets(attempt("status", 401, credential="c2"))
    process.catch_up()
    assert process.told == [ProviderCredentialRefused, ProviderCredentialRefused]
    assert process.watch.refusal("acme", "up") is not None


async def test_a_process_that_starts_later_knows_the_alert() -> None:
    log = InMemoryEventLog()
    await Process(log).meets(attempt("status", 401))
    later = Process(log)
    later.catch_up()
    await later.meets(attempt("status", 401))
    assert later.told == [ProviderCredentialRefused]
    assert later.watch.refusal("acme", "up") is not None
