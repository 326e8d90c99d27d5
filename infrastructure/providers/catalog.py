"""The providers that ship built in, made from the environment's values, and what is known of their models."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from domain.kernel.errors import InvalidInput
from domain.orchestration.connection import Connection
from domain.orchestration.provider_spec import Dialect, ModelSpec
from infrastructure.providers.egress import normalise_base_url
from infrastructure.providers.local_embeddings import MODEL as EMBEDDING_MODEL

OPENAI_URL = "https://api.openai.com/v1"
ANTHROPIC_URL = "https://api.anthropic.com"
PACKAGED_MODEL = "smollm2-135m-instruct"
LOCAL_CONTEXT_WINDOW = 8192
EMBEDDING_WINDOW = 256


class Builtins(msgspec.Struct, frozen=True):
    """The built-in providers that can be called, and of each other one what is missing and how to set it."""

    connections: tuple[Connection, ...]
    missing: Mapping[str, str]


def builtin_providers(
    *,
    openai_api_key: str | None = None,
    openai_base_url: str | None = None,
    anthropic_api_key: str | None = None,
    anthropic_base_url: str | None = None,
    local_model: str = PACKAGED_MODEL,
) -> Builtins:
    """`openai` and `anthropic` when a key or a base URL is set, `local` always.

    ValueError names the variable that is wrong. The operator set these addresses, so AIOS_EGRESS=public
    does not apply to them; metadata addresses stay forbidden.
    """
    remote = (
        _remote("openai", openai_api_key, openai_base_url, OPENAI_URL),
        _remote("anthropic", anthropic_api_key, anthropic_base_url, ANTHROPIC_URL),
    )
    configured = tuple(connection for connection in remote if connection is not None)
    missing = {
        name: f"set {name.upper()}_API_KEY"
        for name, connection in zip(("openai", "anthropic"), remote, strict=True)
        if connection is None
    }
    return Builtins((*configured, _local(local_model)), missing)


@lru_cache(maxsize=4096)
def context_window(provider: str, model: str) -> int | None:
    """Tokens that prompt and answer of a vendor's model may hold together, None when not known.

    From genai-prices, which the first call imports: about 23 MB and half a second, once a process.
    """
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, found = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    return found.context_window


def fingerprint(secret: str) -> str:
    """Tells credentials apart in records and health without saying them."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12]


def _remote(name: Dialect, key: str | None, base_url: str | None, default: str) -> Connection | None:
    key = (key or "").strip()
    if not key and not base_url:
        return None
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ValueError(f"{name.upper()}_API_KEY holds blanks or characters that no key has; set it again")
    try:
        url = normalise_base_url((base_url or default).strip(), dialect=name, allow_private=True)
    except InvalidInput as invalid:
        raise ValueError(f"{name.upper()}_BASE_URL: {invalid.errors[0].detail}") from None
    return Connection(
        name=name,
        dialect=name,
        base_url=url,
        api_key=key or None,
        credential_id=fingerprint(key) if key else "none",
        builtin=True,
    )


def _local(model: str) -> Connection:
    """The embedded models; the first one's address is found at the first call (see local.py)."""
    window = LOCAL_CONTEXT_WINDOW if model == PACKAGED_MODEL else None
    return Connection(
        name="local",
        dialect="openai",
        base_url="http://127.0.0.1",
        credential_id="local",
        models=(
            ModelSpec(name=model, context_window=window),
            ModelSpec(name=EMBEDDING_MODEL, context_window=EMBEDDING_WINDOW),
        ),
        builtin=True,
    )
