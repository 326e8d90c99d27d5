"""Setting quotas: who may, what is stored, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from application.binding import bind
from application.bus import Bus, Caller
from application.usage.commands import SetQuota
from application.usage.handlers import HANDLERS
from application.usage.ports import UsagePorts
from domain.kernel.errors import Forbidden, InvalidInput
from domain.usage.events import QuotaSet
from domain.usage.quota import QuotaLimits, Scope
from tests.domain.given import AT
from tests.fakes.event_log import InMemoryEventLog


class Nothing:
    """Read models that are always up to date."""

    async def caught_up(self, position: int, projections: object = (), timeout_s: float = 2.0) -> bool:
        return True

    async def everywhere(self, position: int, timeout_s: float = 5.0) -> bool:
        return True


async def no_record(_tenant: str, _request_id: str) -> None:
    return None


class Desk:
    """A bus over a log in memory."""

    def __init__(self) -> None:
        self.log = InMemoryEventLog()
        ports = UsagePorts(lambda tenant, user: f"s_{tenant}_{user}", no_record)
        self._bus = Bus(bind(HANDLERS, ports), self.log, lambda: AT, Nothing())

    async def set(self, *roles: str, workspace: str | None = None, **given: object) -> object:
        """Dispatch the command as a caller with these roles."""
        caller = Caller(
            tenant="acme",
            actor="key/k0",
            roles=frozenset(roles or ("admin",)),
            correlation="r",
            command_id=f"c{len(self.log.envelopes)}",
            workspace=workspace,
        )
        return (await self._bus.dispatch(SetQuota(**given), caller)).result  # type: ignore[arg-type]  # as a client sends it

    @property
    def events(self) -> list[QuotaSet]:
        return [envelope.event for envelope in self.log.envelopes]


async def test_limits_are_stored_in_tokens_and_micro_dollars() -> None:
    desk = Desk()
    await desk.set(monthly_token_limit=10, monthly_cost_limit_usd=Decimal("0.000001"))
    (event,) = desk.events
    assert event.limits == QuotaLimits(monthly_token_limit=10, monthly_cost_limit_micros=1)


async def test_a_user_is_stored_as_a_pseudonym_and_scopes_have_streams_of_their_own() -> None:
    desk = Desk()
    answer = await desk.set(scope="user", id="alice", monthly_token_limit=10)
    await desk.set(scope="workspace", id="w1", monthly_token_limit=10)
    assert answer.scope == Scope("user", "s_acme_alice")  # type: ignore[attr-defined]
    assert [(e.scope_id, e.version) for e in desk.events] == [("s_acme_alice", 1), ("w1", 1)]
    assert [e.stream_id for e in desk.log.envelopes] == [
        "acme/quota/user:s_acme_alice",
        "acme/quota/workspace:w1",
    ]


async def test_null_removes_a_limit() -> None:
    desk = Desk()
    await desk.set(monthly_token_limit=10)
    await desk.set(monthly_token_limit=None)
    assert [event.limits.monthly_token_limit for event in desk.events] == [10, None]


@pytest.mark.parametrize("usd", ["-1", "0", "NaN", "Infinity", "1e30", "0.0000001"])
async def test_unusable_amounts_of_money_are_refused(usd: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await Desk().set(monthly_cost_limit_usd=Decimal(usd))
    assert refused.value.errors[0].pointer == "/monthly_cost_limit_usd"


async def test_only_administrators_and_operators_set_quotas_and_a_bound_key_only_its_own() -> None:
    desk = Desk()
    with pytest.raises(Forbidden):
        await desk.set("auditor", "service", monthly_token_limit=1)
    with pytest.raises(Forbidden):
        await desk.set("operator", workspace="w1", monthly_token_limit=1)
    await desk.set("operator", workspace="w1", scope="workspace", id="w1", monthly_token_limit=1)
    assert len(desk.events) == 1
