"""The key directory: who a key speaks for, at once after each event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.kernel.errors import Unauthenticated
from domain.kernel.events import Envelope, Event
from domain.tenancy.events import ApiKeyCreated, ApiKeyRevoked, TenantCreated
from domain.tenancy.secrets import hash_of
from projections.tenancy.live import TYPES, KeyDirectory

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def happened(event: Event, tenant: str = "acme") -> Envelope[Event]:
    return Envelope(
        position=1,
        tenant=tenant,
        stream_id=f"{tenant}/api-key/k",
        version=1,
        type=event.TYPE,
        schema_version=1,
        recorded_at=NOW,
        command_id="c",
        correlation="r",
        actor="key/a",
        event=event,
    )


def created(
    text: str = "a-secret-key", key_id: str = "k1", expires_at: datetime | None = None
) -> ApiKeyCreated:
    return ApiKeyCreated(
        key_id=key_id,
        key_hash=hash_of(text),
        prefix="",
        name="CI",
        roles=("service",),
        created_at=NOW,
        expires_at=expires_at,
    )


def keys(*events: Event) -> KeyDirectory:
    directory = KeyDirectory()
    for event in events:
        directory.apply(happened(event))
    return directory


def test_a_key_is_known_by_its_whole_text():
    directory = keys(created())
    assert directory.authenticate("a-secret-key", NOW).actor == "key/k1"
    for wrong in (
        "a-secret-ke",
        "a-secret-key ",
        "A-secret-key",
        "x" * 100_000,
        "\ud800",
        hash_of("a-secret-key"),
    ):
        with pytest.raises(Unauthenticated, match="not known"):
            directory.authenticate(wrong, NOW)


def test_no_key_says_how_to_send_one():
    with pytest.raises(Unauthenticated, match="Authorization: Bearer"):
        keys().authenticate("", NOW)


def test_a_key_works_until_its_expiry_and_not_at_it():
    directory = keys(created(expires_at=NOW + timedelta(seconds=1)))
    directory.authenticate("a-secret-key", NOW)
    with pytest.raises(Unauthenticated, match="expired at 2030-01-01T00:00:01Z"):
        directory.authenticate("a-secret-key", NOW + timedelta(seconds=1))


def test_a_revoked_key_stops():
    with pytest.raises(Unauthenticated, match="revoked at 2030-01-01T00:00:00Z"):
        keys(created(), ApiKeyRevoked(key_id="k1")).authenticate("a-secret-key", NOW)


def test_a_value_that_was_replaced_and_came_back_works_again():
    directory = keys(created(), ApiKeyRevoked(key_id="k1"), created(key_id="k2"))
    assert directory.authenticate("a-secret-key", NOW).key_id == "k2"


def test_a_tenant_cannot_revoke_the_key_of_another():
    directory = keys(created())
    directory.apply(happened(ApiKeyRevoked(key_id="k1"), tenant="beta"))
    assert directory.authenticate("a-secret-key", NOW).tenant == "acme"


def test_other_events_change_nothing_and_are_not_asked_for():
    event = TenantCreated(tenant_id="acme", name="Acme", created_at=NOW)
    keys(event)
    assert event.TYPE not in TYPES
    assert {ApiKeyCreated.TYPE, ApiKeyRevoked.TYPE} == set(TYPES)
