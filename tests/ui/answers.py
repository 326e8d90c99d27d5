"""Answers of the API as the contract describes them, for states that are hard to bring about."""

from __future__ import annotations

from typing import Any

USAGE: dict[str, Any] = {
    "requests": 1234,
    "input_tokens": 45_000,
    "output_tokens": 6_789,
    "total_tokens": 51_789,
    "cached_tokens": 0,
    "cost_micros": 1_250_000,
    "cost_usd": "1.25",
    "success_rate": 0.985,
    "latency_ms": {"avg": 310.4, "p50": 250, "p95": 12_400},
    "estimated_share": 0,
    "as_of_position": 4321,
}
NO_USAGE: dict[str, Any] = USAGE | {
    "requests": 0,
    "success_rate": None,
    "latency_ms": {"avg": None, "p50": None, "p95": None},
}
POLICY: dict[str, Any] = {
    "workspace_id": "default",
    "version": 7,
    "fallback_strategy": "latency",
    "auto_fallback_enabled": True,
    "rules": [
        {
            "segment": "enterprise",
            "provider": "anthropic",
            "model": "claude-large",
            "fallback": ["openai/gpt-large", "local"],
            "latency_budget_ms": 4000,
        },
        {"segment": "*", "provider": "local", "model": "smollm2", "fallback": [], "latency_budget_ms": None},
    ],
}
EVENTS: dict[str, Any] = {
    "items": [
        {
            "position": position,
            "type": "orchestration.model_policy_set",
            "stream_id": "acme/model-policy/default",
            "recorded_at": "2026-10-01T11:59:00Z",
            "actor": "key/idadmin",
            "data": {"version": position, "note": "<script>alert(1)</script>"},
        }
        for position in (4319, 4320, 4321)
    ],
    "next_cursor": None,
}
NOTICES: dict[str, Any] = {
    "items": [
        {
            "cap": cap,
            "scope": scope,
            "id": name,
            "month": "2026-10",
            "unit": unit,
            "used": 800_000,
            "limit": 1_000_000,
            "threshold": 0.8 if cap == "soft" else None,
            "reached_at": "2026-10-20T10:00:00Z",
            "position": position,
        }
        for position, (cap, scope, name, unit) in enumerate(
            (("hard", "workspace", "sales", "cost"), ("soft", "tenant", "", "tokens"))
        )
    ],
    "next_cursor": None,
}
NOTHING: dict[str, Any] = {"items": [], "next_cursor": None}


def problem(status: int, detail: str, **more: Any) -> dict[str, Any]:
    """Return a problem document."""
    return {"type": "urn:aios:problem:x", "title": "x", "status": status, "detail": detail, **more}
