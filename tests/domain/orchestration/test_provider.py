"""Custom providers: what they may be, and where their credentials go."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from domain.kernel.errors import InvalidInput, NotFound
from domain.kernel.personal import Erased
from domain.orchestration.events import ProviderRegistered, ProviderRemoved
from domain.orchestration.provider import Endpoint, Provider
from domain.orchestration.provider_check import check_provider
from domain.orchestration.provider_spec import ModelPrices, ModelSpec
from tests.domain.given import AT, given, refused

HERE = Endpoint(name="vllm", dialect="openai", base_url="http://gpu:8000/v1", models=(ModelSpec(name="m"),))
THERE = Endpoint(name="vllm", dialect="openai", base_url="http://other:8000/v1")


def registered(revision: int = 1, endpoint: Endpoint = HERE, **more: Any) -> ProviderRegistered:
    return ProviderRegistered(
        name="vllm",
        revision=revision,
        registered_at=AT,
        dialect="openai",
        base_url=endpoint.base_url,
        models=endpoint.models,
        **more,
    )


WITH_KEY = registered(
    credential_id="provider/vllm@1", api_key="s3cret", headers=(("x-team", "a"),), header_names=("x-team",)
)


def test_a_provider_without_secrets_has_no_credential():
    given(Provider).when(lambda p: p.register(HERE, AT)).then(registered())


def test_key_and_headers_are_sealed_under_a_credential_of_their_revision():
    given(Provider).when(lambda p: p.register(HERE, AT, api_key="s3cret", headers={"x-team": "a"})).then(
        WITH_KEY
    )


def test_what_is_left_off_is_kept_at_the_same_address():
    kept = registered(
        2,
        credential_id="provider/vllm@2",
        api_key="s3cret",
        headers=(("x-team", "a"),),
        header_names=("x-team",),
        retired=("provider/vllm@1",),
    )
    given(Provider, WITH_KEY).when(lambda p: p.register(HERE, AT)).then(kept)


def test_empty_values_remove_the_secrets():
    bare = registered(2, retired=("provider/vllm@1",))
    given(Provider, WITH_KEY).when(lambda p: p.register(HERE, AT, api_key="", headers={})).then(bare)


def test_a_key_never_follows_to_another_address():
    given(Provider, WITH_KEY).when(lambda p: p.register(THERE, AT, headers={})).then_unusable("/api_key")
    given(Provider, WITH_KEY).when(lambda p: p.register(THERE, AT, api_key="")).then_unusable("/headers")


def test_another_address_with_its_own_key_is_fine():
    moved = registered(2, THERE, credential_id="provider/vllm@2", api_key="n3w", retired=("provider/vllm@1",))
    given(Provider, WITH_KEY).when(lambda p: p.register(THERE, AT, api_key="n3w", headers={})).then(moved)


def test_an_erased_key_is_not_kept():
    erased = registered(credential_id="provider/vllm@1", api_key=Erased(key_id="k"))
    given(Provider, erased).when(lambda p: p.register(HERE, AT)).then(
        registered(2, retired=("provider/vllm@1",))
    )


def test_removal_names_the_credential_to_destroy():
    given(Provider, WITH_KEY).when(lambda p: p.remove("vllm", AT)).then(
        ProviderRemoved(name="vllm", retired=("provider/vllm@1",))
    )


def test_a_removed_provider_cannot_be_removed_again_but_comes_back():
    gone = given(Provider, WITH_KEY, ProviderRemoved(name="vllm"))
    gone.when(lambda p: p.remove("vllm", AT)).then_refused(NotFound, "'vllm'")
    gone.when(lambda p: p.register(HERE, AT)).then(registered(2))


def test_a_registration_does_not_show_its_secrets():
    assert "s3cret" not in repr(WITH_KEY)


def check(**changes: Any) -> Any:
    settings = {"name": "vllm", "models": (), "api_key": None, "headers": None, "drain_seconds": 0.0}
    return lambda: check_provider(**{**settings, **changes})


def prices(**changes: str) -> ModelPrices:
    usd = {"input_per_mtok_usd": "1", "output_per_mtok_usd": "2", **changes}
    return ModelPrices(**{name: Decimal(value) for name, value in usd.items()})


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": "openai"}, "/name"),
        ({"name": "local"}, "/name"),
        ({"name": "a/b"}, "/name"),
        ({"name": "Upper"}, "/name"),
        ({"models": (ModelSpec(name=""),)}, "/models/0/name"),
        ({"models": (ModelSpec(name="m"), ModelSpec(name="m"))}, "/models/1/name"),
        ({"models": (ModelSpec(name="m", context_window=0),)}, "/models/0/context_window"),
        ({"models": tuple(ModelSpec(name=str(n)) for n in range(501))}, "/models"),
        (
            {"models": (ModelSpec(name="m", prices=prices(output_per_mtok_usd="-1")),)},
            "/models/0/prices/output_per_mtok_usd",
        ),
        (
            {"models": (ModelSpec(name="m", prices=prices(cached_input_per_mtok_usd="NaN")),)},
            "/models/0/prices/cached_input_per_mtok_usd",
        ),
        (
            {"models": (ModelSpec(name="m", prices=prices(input_per_mtok_usd="0.0000000001")),)},
            "/models/0/prices/input_per_mtok_usd",
        ),
        ({"api_key": "tab\there"}, "/api_key"),
        ({"api_key": " padded "}, "/api_key"),
        ({"headers": {"x y": "v"}}, "/headers/x y"),
        ({"headers": {"Host": "evil"}}, "/headers/Host"),
        ({"headers": {"x-a": "v\r\nx-b: w"}}, "/headers/x-a"),
        ({"headers": {f"x-{n}": "v" for n in range(33)}}, "/headers"),
        ({"drain_seconds": float("inf")}, "/drain_seconds"),
    ],
)
def test_an_unusable_field_is_named_and_no_secret_shown(changes: dict[str, Any], pointer: str):
    error = refused(InvalidInput, check(**changes))
    assert isinstance(error, InvalidInput)
    assert [each.pointer for each in error.errors] == [pointer]
    assert not any(secret in error.message for secret in ("tab\there", "padded", "evil", "x-b"))


def test_prices_to_nine_decimals_are_exact_enough():
    check(models=(ModelSpec(name="m", prices=prices(input_per_mtok_usd="0.123456789")),))()
