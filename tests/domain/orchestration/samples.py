"""Small policies, catalogues and requests for tests of routing."""

from __future__ import annotations

from typing import Any

from domain.orchestration.catalogue import Catalogue, Offer, Target
from domain.orchestration.policy import ActivePolicy, Policy, Rule
from domain.orchestration.provider_spec import ModelSpec
from domain.orchestration.routing import RouteRequest
from tests.domain.given import AT

DEFAULT = Target("local", "smol")
CATALOGUE = Catalogue(
    [
        Offer("ollama", (ModelSpec(name="llama"), ModelSpec(name="qwen", context_window=8192))),
        Offer("router", (ModelSpec(name="meta/llama"),)),
        Offer("open", ()),
        Offer("openai", ()),
        Offer("local", (ModelSpec(name="smol", context_window=2048),)),
    ],
    {"anthropic": "set ANTHROPIC_API_KEY"},
)


def rule(segment: str = "*", provider: str = "openai", model: str = "gpt-4o", **more: Any) -> Rule:
    """Return a rule."""
    return Rule(segment=segment, provider=provider, model=model, **more)


def policy(*rules: Rule, **more: Any) -> ActivePolicy:
    """Return version 3 of the default workspace's policy."""
    return ActivePolicy(
        workspace_id="default", version=3, set_by="key/a", set_at=AT, policy=Policy(rules=rules, **more)
    )


def request(model: str = "auto", **more: Any) -> RouteRequest:
    """Return a request."""
    return RouteRequest(**{"model": model, "request_id": "r1", "key_id": "k1", **more})
