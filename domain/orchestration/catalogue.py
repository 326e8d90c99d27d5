"""Which providers a tenant can reach, and which models they offer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from domain.orchestration.provider_spec import ModelSpec

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "openai": ("gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-", "codex-", "ft:"),
    "anthropic": ("claude-",),
}
"""Beginnings of plain model names by which a built-in provider is known, without a list that ages."""


class Target(msgspec.Struct, frozen=True):
    """One model of one provider."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class Offer(msgspec.Struct, frozen=True):
    """A provider that can be called, with its models; without any it takes every model name."""

    provider: str
    models: tuple[ModelSpec, ...] = ()


class Catalogue:
    """The offers of all providers a tenant can reach; immutable, made anew when one changes.

    `missing` names built-in providers that are not set up, each with its cure.
    """

    def __init__(self, offers: Iterable[Offer], missing: Mapping[str, str] | None = None) -> None:
        self._models: dict[str, dict[str, ModelSpec]] = {}
        self._owner: dict[str, str] = {}
        for offer in offers:
            self._models[offer.provider] = {model.name: model for model in offer.models}
            for model in offer.models:
                self._owner.setdefault(model.name, offer.provider)
        self.missing: Mapping[str, str] = dict(missing or {})

    def has(self, provider: str) -> bool:
        """Tell whether a provider can be called."""
        return provider in self._models

    def offers(self, target: Target) -> bool:
        """Tell whether a provider can be called and takes this model name."""
        models = self._models.get(target.provider)
        return models is not None and (not models or target.model in models)

    def spec(self, target: Target) -> ModelSpec | None:
        """Return what is known of a model, None for one that no list names."""
        return self._models.get(target.provider, {}).get(target.model)

    def owner(self, model: str) -> str | None:
        """Return the provider that a plain model name belongs to: one that lists it, or its family's.

        Of several that list it, the first; a family's provider may be one that is not set up.
        """
        return self._owner.get(model) or next(
            (name for name, starts in FAMILIES.items() if model.startswith(starts)), None
        )

    def problem(self, target: Target) -> str | None:
        """Return why a target cannot be called and what to do about it; None when it can."""
        if self.offers(target):
            return None
        if target.provider in self._models:
            return f"provider '{target.provider}' has no model '{target.model}'; it has {self._of(target)}"
        cure = self.missing.get(target.provider, "add it with POST /providers")
        return f"provider '{target.provider}' is not configured: {cure}"

    def listing(self) -> tuple[str, ...]:
        """Return what can be asked for: `provider/model`, or `provider/*` where every name is taken."""
        return tuple(
            f"{provider}/{model}" for provider, models in self._models.items() for model in models or ("*",)
        )

    def _of(self, target: Target) -> str:
        return shortened(self._models[target.provider])


def shortened(names: Iterable[str], most: int = 10) -> str:
    """Return names joined by commas, the first few of many."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
