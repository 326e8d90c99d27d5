"""Tenants: founding, and the roster that keeps the last administrator."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.kernel.errors import Conflict, NameTaken
from domain.tenancy.events import TenantAdminAdded, TenantAdminRemoved, TenantCreated
from domain.tenancy.tenant import Tenant
from tests.domain.given import AT, given

ACME = TenantCreated(tenant_id="acme", name="Acme", created_at=AT)
ONE = TenantAdminAdded(key_id="one")
TWO = TenantAdminAdded(key_id="two")


def test_a_new_tenant_is_founded():
    given(Tenant).when(lambda t: t.create("acme", "Acme", AT)).then(ACME)


def test_an_existing_tenant_is_not_founded_twice():
    given(Tenant, ACME).when(lambda t: t.create("acme", "Acme", AT)).then_refused(NameTaken, "acme")


@pytest.mark.parametrize("tenant_id", ["", "Acme", "-acme", "a/b", "a" * 64, "acme\n", "ä"])
def test_an_unusable_tenant_id_is_named(tenant_id: str):
    given(Tenant).when(lambda t: t.create(tenant_id, "Acme", AT)).then_unusable("/tenant_id")


def test_every_unusable_field_is_named_at_once():
    given(Tenant).when(lambda t: t.create("A", " ", AT)).then_unusable("/tenant_id", "/name")


def test_one_of_two_administrators_may_go():
    given(Tenant, ACME, ONE, TWO).when(lambda t: t.remove_admin("one", AT)).then(
        TenantAdminRemoved(key_id="one")
    )


def test_the_last_administrator_stays():
    given(Tenant, ACME, ONE).when(lambda t: t.remove_admin("one", AT)).then_refused(
        Conflict, "last key with role admin", "'one'", "create another one first"
    )


def test_an_expired_administrator_does_not_count():
    expired = TenantAdminAdded(key_id="two", expires_at=AT)
    given(Tenant, ACME, ONE, expired).when(lambda t: t.remove_admin("one", AT)).then_refused(Conflict)


def test_an_administrator_that_expires_later_counts():
    later = TenantAdminAdded(key_id="two", expires_at=AT + timedelta(seconds=1))
    given(Tenant, ACME, ONE, later).when(lambda t: t.remove_admin("one", AT)).then(
        TenantAdminRemoved(key_id="one")
    )


def test_a_key_that_is_no_administrator_changes_nothing():
    given(Tenant, ACME, ONE).when(lambda t: t.remove_admin("service", AT)).then()
