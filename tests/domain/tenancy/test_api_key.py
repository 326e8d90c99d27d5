"""API keys: how they are made, what they may be granted, how they end."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given as any_of
from hypothesis import strategies as st

from domain.kernel.errors import Forbidden, NotFound
from domain.tenancy.api_key import ApiKey, KeyGrant, check_grantable
from domain.tenancy.events import ApiKeyCreated, ApiKeyRevoked
from domain.tenancy.roles import ROLES, grantable
from domain.tenancy.secrets import hash_of, plain_key
from tests.domain.given import AT, given, refused

CREATED = ApiKeyCreated(
    key_id="k1", key_hash="ab", prefix="aios_k1", name="CI", roles=("service",), created_at=AT
)


def grant(**changes: object) -> KeyGrant:
    return KeyGrant(**{"name": "CI", "roles": ("service",), **changes})  # type: ignore[arg-type]  # a test's shorthand


def test_a_key_is_made():
    given(ApiKey).when(lambda k: k.create("k1", "ab", "aios_k1", grant(), AT)).then(CREATED)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"roles": ()}, "/roles"),
        ({"roles": ("service", "root")}, "/roles/1"),
        ({"roles": ("service", "service")}, "/roles/1"),
        ({"workspace_id": "a/b"}, "/workspace_id"),
        ({"expires_at": AT}, "/expires_at"),
        ({"expires_at": datetime(2031, 1, 1)}, "/expires_at"),  # noqa: DTZ001  # the missing zone is the point
    ],
)
def test_an_unusable_field_is_named(changes: dict[str, object], pointer: str):
    given(ApiKey).when(lambda k: k.create("k1", "ab", "p", grant(**changes), AT)).then_unusable(pointer)


def test_a_key_is_revoked():
    given(ApiKey, CREATED).when(lambda k: k.revoke(AT, "left")).then(
        ApiKeyRevoked(key_id="k1", reason="left")
    )


def test_revoking_again_changes_nothing():
    given(ApiKey, CREATED, ApiKeyRevoked(key_id="k1")).when(lambda k: k.revoke(AT)).then()


def test_an_unknown_key_cannot_be_revoked():
    given(ApiKey).when(lambda k: k.revoke(AT)).then_refused(NotFound)


def test_a_key_bound_to_a_workspace_administers_no_tenant():
    event = ApiKeyCreated(
        key_id="k1", key_hash="ab", prefix="", name="a", roles=("admin",), created_at=AT, workspace_id="w"
    )
    assert not given(ApiKey, event).aggregate.is_admin


@pytest.mark.parametrize(
    ("held", "roles", "workspace", "workspace_id"),
    [
        ({"admin"}, ("platform",), None, None),
        ({"service"}, ("admin",), None, None),
        ({"operator"}, ("operator", "auditor"), None, None),
        ({"admin"}, ("service",), "w1", None),
        ({"admin"}, ("service",), "w1", "w2"),
    ],
)
def test_nobody_grants_more_than_they_may(held, roles, workspace, workspace_id):
    wish = grant(roles=roles, workspace_id=workspace_id)
    refused(Forbidden, lambda: check_grantable(wish, frozenset(held), workspace))


@any_of(st.sets(st.sampled_from(ROLES)))
def test_only_platform_grants_platform(held: set[str]):
    assert ("platform" in grantable(frozenset(held))) == ("platform" in held)


@any_of(st.binary(min_size=32, max_size=32))
def test_the_same_seed_makes_the_same_key_and_only_its_hash_is_needed(seed: bytes):
    key = plain_key(seed)
    assert key == plain_key(seed)
    assert key.text.startswith(f"aios_{key.key_id}_")
    assert len(key.key_id) == 12
    assert key.key_hash == hash_of(key.text)
    assert key.text not in repr(key)


@any_of(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_different_seeds_make_different_keys(one: bytes, other: bytes):
    assert (plain_key(one).text == plain_key(other).text) == (one == other)


def test_a_seed_of_another_length_is_refused():
    with pytest.raises(ValueError, match="32 random bytes"):
        plain_key(b"short")


def test_an_expiry_in_the_future_is_kept():
    later = AT + timedelta(seconds=1)
    given(ApiKey).when(lambda k: k.create("k1", "ab", "aios_k1", grant(expires_at=later), AT)).then(
        msgspec.structs.replace(CREATED, expires_at=later)
    )
