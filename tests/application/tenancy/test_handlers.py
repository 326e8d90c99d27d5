"""Tenants and keys through the bus: who may do what, what is shown, what holds after a repeat."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from application.binding import bind
from application.ports import Appended, AppendRequest
from application.tenancy.commands import BootstrapAdminKey, CreateKey, CreateTenant, RevokeKey
from application.tenancy.handlers import HANDLERS
from application.tenancy.ports import TenancyPorts
from domain.kernel.errors import (
    Conflict,
    Forbidden,
    IdempotencyMismatch,
    InvalidInput,
    NameTaken,
    NotFound,
    Unauthenticated,
)
from domain.tenancy.events import ApiKeyCreated
from infrastructure.secret_files import DerivedSecrets
from projections.tenancy.live import KeyDirectory
from tests.application.office import START, Office
from tests.fakes.event_log import InMemoryEventLog

ACME = CreateTenant(tenant_id="acme", name="Acme")
OPERATOR = BootstrapAdminKey(key="correct-horse-battery")


@pytest.fixture
def office() -> Office:
    return Office(bind(HANDLERS, TenancyPorts(secrets=DerivedSecrets(b"s" * 32))))


def directory(office: Office) -> KeyDirectory:
    keys = KeyDirectory()
    for envelope in office.events:
        keys.apply(envelope)
    return keys


async def founded(office: Office) -> str:
    return str((await office.send(ACME, "platform", tenant="default")).admin_key)


async def test_a_founded_tenant_comes_with_a_key_that_administers_it(office: Office):
    key = await founded(office)
    principal = directory(office).authenticate(key, office.now)
    assert (principal.tenant, principal.roles) == ("acme", frozenset({"admin"}))
    assert {envelope.tenant for envelope in office.events} == {"acme"}
    assert office.read_models.waited_for == len(office.events)


async def test_only_platform_founds_tenants(office: Office):
    with pytest.raises(Forbidden):
        await office.send(ACME, "admin", tenant="default")
    assert office.events == []


async def test_a_tenant_is_founded_once(office: Office):
    await founded(office)
    with pytest.raises(NameTaken):
        await founded(office)


async def test_a_repeated_command_shows_the_same_key_and_stores_nothing(office: Office):
    first = await office.send(ACME, "platform", tenant="default", command_id="once")
    stored = len(office.events)
    office.later(minutes=5)
    assert await office.send(ACME, "platform", tenant="default", command_id="once") == first
    made = await office.send(CreateKey(name="CI", roles=("service",)), command_id="twice")
    assert await office.send(CreateKey(name="CI", roles=("service",)), command_id="twice") == made
    assert len(office.events) == stored + 1


async def test_a_repeated_command_with_other_content_is_refused(office: Office):
    await office.send(ACME, "platform", tenant="default", command_id="once")
    with pytest.raises(IdempotencyMismatch):
        await office.send(
            CreateTenant(tenant_id="acme", name="Other"), "platform", tenant="default", command_id="once"
        )


async def test_no_plain_key_is_stored_or_shown_by_accident(office: Office):
    founded_tenant = await office.send(ACME, "platform", tenant="default")
    made = await office.send(CreateKey(name="CI", roles=("service",)))
    await office.send(OPERATOR, "platform", tenant="default")
    stored = msgspec.json.encode([envelope.event for envelope in office.events]).decode()
    for secret in (founded_tenant.admin_key, made.key, OPERATOR.key):
        assert secret not in stored
        assert secret not in f"{founded_tenant!r} {made!r} {OPERATOR!r}"


async def test_a_key_does_what_it_was_made_for(office: Office):
    await founded(office)
    made = await office.send(CreateKey(name="CI", roles=("service",), workspace_id="team"))
    principal = directory(office).authenticate(made.key, office.now)
    assert (principal.roles, principal.workspace, principal.key_id) == (
        frozenset({"service"}),
        "team",
        made.key_id,
    )
    assert made.key.startswith(made.prefix + "_")


async def test_nobody_grants_a_role_beyond_their_own(office: Office):
    await founded(office)
    with pytest.raises(Forbidden, match="platform"):
        await office.send(CreateKey(name="x", roles=("platform",)), "admin")
    with pytest.raises(Forbidden):
        await office.send(CreateKey(name="x", roles=("service",)), "operator")


async def test_another_tenant_needs_platform(office: Office):
    await founded(office)
    wish = CreateKey(name="x", roles=("service",), tenant_id="acme")
    with pytest.raises(Forbidden, match="tenant_id"):
        await office.send(wish, "admin", tenant="default")
    made = await office.send(wish, "platform", tenant="default")
    assert directory(office).authenticate(made.key, office.now).tenant == "acme"


async def test_a_key_for_an_unknown_tenant_is_refused(office: Office):
    with pytest.raises(NotFound, match="ghost"):
        await office.send(CreateKey(name="x", roles=("service",), tenant_id="ghost"), "platform")


async def test_an_unusable_key_stores_nothing(office: Office):
    await founded(office)
    stored = len(office.events)
    with pytest.raises(InvalidInput):
        await office.send(CreateKey(name="x", roles=("service",), expires_at=START - timedelta(days=1)))
    assert len(office.events) == stored


async def test_a_revoked_key_stops_and_says_why(office: Office):
    await founded(office)
    made = await office.send(CreateKey(name="CI", roles=("service",)))
    await office.send(RevokeKey(key_id=made.key_id))
    with pytest.raises(Unauthenticated, match="revoked"):
        directory(office).authenticate(made.key, office.now)
    stored = len(office.events)
    await office.send(RevokeKey(key_id=made.key_id))
    assert len(office.events) == stored


async def test_the_last_administrator_cannot_be_revoked(office: Office):
    await founded(office)
    first = office.events[1].event.key_id
    with pytest.raises(Conflict, match="last key"):
        await office.send(RevokeKey(key_id=first))
    await office.send(CreateKey(name="second", roles=("admin",)))
    await office.send(RevokeKey(key_id=first))


class Unhurried(InMemoryEventLog):
    """A log whose appends let other commands come in between, as a database does."""

    async def append(self, request: AppendRequest) -> Appended:
        await asyncio.sleep(0)
        return await super().append(request)


async def test_two_administrators_revoked_at_once_leave_one():
    office = Office(bind(HANDLERS, TenancyPorts(secrets=DerivedSecrets(b"s" * 32))), Unhurried())
    await founded(office)
    await office.send(CreateKey(name="second", roles=("admin",)))
    key_ids = [e.event.key_id for e in office.events if isinstance(e.event, ApiKeyCreated)]
    answers = await asyncio.gather(
        *(office.send(RevokeKey(key_id=key_id)) for key_id in key_ids), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "KeyStopped"]
    assert [e.type for e in office.events].count("tenancy.api_key_revoked") == 1


async def test_an_administrator_that_expired_does_not_count(office: Office):
    await founded(office)
    first = office.events[1].event.key_id
    expires = office.now + timedelta(hours=1)
    await office.send(CreateKey(name="second", roles=("admin",), expires_at=expires))
    office.later(hours=2)
    with pytest.raises(Conflict):
        await office.send(RevokeKey(key_id=first))


async def test_a_key_of_another_tenant_is_not_found(office: Office):
    await founded(office)
    await office.send(CreateTenant(tenant_id="beta", name="Beta"), "platform", tenant="default")
    acmes = office.events[1].event.key_id
    with pytest.raises(NotFound):
        await office.send(RevokeKey(key_id=acmes), tenant="beta")


async def test_a_key_bound_to_a_workspace_stays_in_it(office: Office):
    await founded(office)
    other = await office.send(CreateKey(name="x", roles=("service",)))
    with pytest.raises(Forbidden, match="bound"):
        await office.send(CreateKey(name="x", roles=("service",)), workspace="team")
    with pytest.raises(NotFound):
        await office.send(RevokeKey(key_id=other.key_id), workspace="team")


async def boot(office: Office, key: str) -> tuple[str, str]:
    answer = await office.send(BootstrapAdminKey(key=key), "platform", tenant="default")
    return answer.key_id, answer.status


async def test_the_operators_key_opens_tenant_default_at_every_start(office: Office):
    key_id, status = await boot(office, OPERATOR.key)
    stored = len(office.events)
    assert status == "created"
    assert await boot(office, OPERATOR.key) == (key_id, "unchanged")
    assert len(office.events) == stored
    principal = directory(office).authenticate(OPERATOR.key, office.now)
    assert (principal.tenant, principal.roles) == ("default", frozenset({"admin", "platform"}))


async def test_another_value_replaces_the_operators_key_and_may_come_back(office: Office):
    first, _ = await boot(office, "first-operator-key")
    assert (await boot(office, "second-operator-key"))[1] == "replaced"
    with pytest.raises(Unauthenticated):
        directory(office).authenticate("first-operator-key", office.now)
    again, status = await boot(office, "first-operator-key")
    assert status == "replaced"
    assert again != first
    assert directory(office).authenticate("first-operator-key", office.now).key_id == again
    with pytest.raises(Unauthenticated):
        directory(office).authenticate("second-operator-key", office.now)


async def test_an_operators_key_that_was_revoked_stays_revoked(office: Office):
    key_id, _ = await boot(office, OPERATOR.key)
    await office.send(CreateKey(name="mine", roles=("admin",)), tenant="default")
    await office.send(RevokeKey(key_id=key_id), tenant="default")
    assert await boot(office, OPERATOR.key) == (key_id, "revoked")
    with pytest.raises(Unauthenticated):
        directory(office).authenticate(OPERATOR.key, office.now)
    assert (await boot(office, "a-better-operator-key"))[1] == "replaced"


@pytest.mark.parametrize("key", ["too-short", "x" * 513, "sixteen chars\n..", "sixteen chars ä."])
async def test_an_operators_key_that_cannot_be_sent_is_refused_without_being_shown(office: Office, key: str):
    with pytest.raises(InvalidInput, match="AIOS_ADMIN_KEY") as caught:
        await boot(office, key)
    assert key not in caught.value.message
