"""The gateway's view of providers: one spec a revision, none shared between tenants."""

from __future__ import annotations

import msgspec
import pytest

from application.orchestration.directory import LiveDirectory
from application.orchestration.specs import ProviderSpecs
from application.orchestration.upstream import Secret
from domain.kernel.errors import Unavailable
from domain.orchestration.connection import Connection
from domain.orchestration.routing import Measures
from projections.orchestration.live import PolicyDirectory, ProviderDirectory

LOCAL = Connection(name="local", dialect="openai", base_url="http://127.0.0.1/v1", builtin=True)
CUSTOM = Connection(
    name="vllm", dialect="anthropic", base_url="http://gpu", api_key="s3cret", credential_id="provider/vllm@1"
)


def test_a_spec_is_the_same_object_until_its_connection_changes():
    specs = ProviderSpecs()
    spec = specs.of("acme", CUSTOM)
    assert specs.of("acme", CUSTOM) is spec
    assert (spec.dialect, spec.credential, spec.credential_id) == (
        "anthropic",
        Secret("s3cret"),
        "provider/vllm@1",
    )
    changed = msgspec.structs.replace(CUSTOM, revision=2)
    assert specs.of("acme", changed) is not spec


def test_tenants_share_built_in_providers_but_never_their_own():
    specs = ProviderSpecs()
    assert specs.of("acme", LOCAL) is specs.of("beta", LOCAL)
    assert specs.of("acme", CUSTOM).name != specs.of("beta", CUSTOM).name


def test_private_addresses_stay_open_to_built_in_providers():
    specs = ProviderSpecs(allow_private=False)
    assert specs.of("acme", LOCAL).allow_private
    assert not specs.of("acme", CUSTOM).allow_private


def test_a_provider_removed_during_a_request_is_unavailable():
    directory = LiveDirectory(
        PolicyDirectory(), ProviderDirectory([LOCAL]), ProviderSpecs(), lambda _: Measures()
    )
    assert directory.provider("acme", "local").base_url == LOCAL.base_url
    with pytest.raises(Unavailable, match="vllm"):
        directory.provider("acme", "vllm")
    assert directory.policy("acme", "default") is None
    assert directory.catalogue("acme").listing() == ("local/*",)
