"""The built-in providers as an installation's settings configure them."""

from __future__ import annotations

from infrastructure.providers.catalog import PACKAGED_MODEL, Builtins, builtin_providers
from infrastructure.settings import Settings


def local_model_name(settings: Settings) -> str:
    """Return what the embedded model is called: its file's stem, or the packaged model's name."""
    return settings.local_model.stem if settings.local_model else PACKAGED_MODEL


def configured_providers(settings: Settings) -> Builtins:
    """Return the built-in providers. Raises ValueError that names the variable that is wrong."""
    return builtin_providers(
        openai_api_key=settings.openai_api_key,
        openai_base_url=settings.openai_base_url,
        anthropic_api_key=settings.anthropic_api_key,
        anthropic_base_url=settings.anthropic_base_url,
        local_model=local_model_name(settings),
    )
