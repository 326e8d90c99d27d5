"""What a test of a connection to a provider answers."""

from __future__ import annotations

from typing import Literal

import msgspec

Reason = Literal[
    "ok",
    "credential_refused",
    "no_model_list",
    "model_not_found",
    "rate_limited",
    "request_refused",
    "provider_error",
    "dns",
    "refused",
    "reset",
    "tls",
    "timeout",
    "malformed",
    "egress_forbidden",
    "not_ready",
    "not_tested",
]


class ConnectionTest(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a provider answered. `reason` is for machines, `detail` says what to do about it.

    `status` is what the provider answered, `latency_ms` how long that took. `models` counts those it listed,
    null when it was not asked for its list; `missing_models` are registered ones that it did not list.
    """

    provider: str
    dialect: Literal["openai", "anthropic"]
    base_url: str
    ok: bool
    reason: Reason
    detail: str
    status: int | None
    latency_ms: int
    asked_model: str | None
    models: int | None
    missing_models: tuple[str, ...] = ()
