"""The built-in providers, as the environment configures them."""

import anthropic
import openai
import pytest

from infrastructure.providers.catalog import ANTHROPIC_URL, OPENAI_URL, builtin_providers, context_window


def test_nothing_set_leaves_the_local_model_and_says_what_is_missing() -> None:
    made = builtin_providers()

    assert [connection.name for connection in made.connections] == ["local"]
    models = [model.name for model in made.connections[0].models]
    assert models == ["smollm2-135m-instruct", "all-minilm-l6-v2"]
    assert made.missing == {"openai": "set OPENAI_API_KEY", "anthropic": "set ANTHROPIC_API_KEY"}


def test_keys_configure_the_vendors_at_their_own_addresses() -> None:
    made = builtin_providers(openai_api_key="sk-o\n", anthropic_api_key="sk-a")

    by_name = {connection.name: connection for connection in made.connections}
    assert by_name["openai"].base_url == str(openai.OpenAI(api_key="x").base_url).rstrip("/") == OPENAI_URL
    assert (
        by_name["anthropic"].base_url
        == str(anthropic.Anthropic(api_key="x").base_url).rstrip("/")
        == ANTHROPIC_URL
    )
    assert by_name["openai"].api_key == "sk-o"
    assert made.missing == {}


def test_base_url_alone_configures_a_keyless_server() -> None:
    made = builtin_providers(openai_base_url="http://127.0.0.1:11434/v1/")

    assert made.connections[0].base_url == "http://127.0.0.1:11434/v1"
    assert made.connections[0].api_key is None


def test_credential_ids_tell_keys_apart_without_saying_them() -> None:
    ids = {
        builtin_providers(openai_api_key=key).connections[0].credential_id
        for key in ("sk-one", "sk-two", "sk-one")
    }

    assert len(ids) == 2
    assert not any("sk-" in each for each in ids)


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"openai_base_url": "api.example.com"}, "OPENAI_BASE_URL"),
        ({"openai_base_url": "http://169.254.169.254/v1"}, "OPENAI_BASE_URL"),
        ({"anthropic_base_url": "https://x.example/v1"}, "ANTHROPIC_BASE_URL"),
        ({"anthropic_api_key": "sk-ünïcode"}, "ANTHROPIC_API_KEY"),
        ({"openai_api_key": "sk-one sk-two"}, "OPENAI_API_KEY"),
    ],
)
def test_wrong_values_name_their_variable_and_no_secret(given: dict[str, str], variable: str) -> None:
    with pytest.raises(ValueError, match=variable) as caught:
        builtin_providers(**given)

    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    ("provider", "model", "tokens"),
    [
        ("openai", "gpt-4o-mini", 128_000),
        ("openai", "gpt-4o-mini-2024-07-18", 128_000),
        ("anthropic", "claude-sonnet-4-5-20250929", 200_000),
        ("openai", "no-such-model", None),
        ("acme", "gpt-4o-mini", None),
    ],
)
def test_context_windows_of_known_models(provider: str, model: str, tokens: int | None) -> None:
    assert context_window(provider, model) == tokens
