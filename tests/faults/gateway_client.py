"""Asks the gateway by hand in either dialect, and reads what came back without an SDK's opinion."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from tests.integration.gateway.live import HELLO, LiveTenant, rule

Dialect = Literal["openai", "anthropic"]
DIALECTS: tuple[Dialect, ...] = ("openai", "anthropic")
PROVIDER = {"openai": "up", "anthropic": "cl"}
TEXT = "The quick brown fox jumps over the lazy dog and runs ."
ATTEMPT_MS = 1500  # the healthy target has to keep it too, on a loaded machine
IDLE_MS = 1000
_numbers = itertools.count()


@dataclass
class Seen:
    """What a client saw of one request."""

    dialect: Dialect
    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON of each event of a stream."""
        lines = [line[6:] for line in self.body.decode().splitlines() if line.startswith("data: {")]
        return [json.loads(line) for line in lines]

    @property
    def text(self) -> str:
        """The words of the answer, streamed or not."""
        if not self.headers["content-type"].startswith("text/event-stream"):
            body = json.loads(self.body)
            if self.dialect == "anthropic":
                return str(body["content"][0]["text"])
            return str(body["choices"][0]["message"]["content"])
        if self.dialect == "anthropic":
            return "".join(e["delta"].get("text", "") for e in self.events if "delta" in e)
        choices = [c for e in self.events for c in e.get("choices", ())]
        return "".join(c["delta"].get("content") or "" for c in choices)

    @property
    def complete(self) -> bool:
        """Whether a stream ended with its closing message."""
        return b"[DONE]" in self.body or b"message_stop" in self.body

    @property
    def error(self) -> dict[str, Any]:
        """The error of a refusal, or the one that ended a stream; empty without one."""
        if self.headers["content-type"].startswith("text/event-stream"):
            return next((e["error"] for e in self.events if "error" in e), {})
        return dict(json.loads(self.body).get("error", {}))

    @property
    def request_id(self) -> str:
        """The id of `/requests/{id}`."""
        return self.headers["x-request-id"]


def request(dialect: Dialect, model: str, *, stream: bool) -> tuple[str, dict[str, Any]]:
    """Return path and body of one small request."""
    body: dict[str, Any] = {"model": model, "messages": HELLO, "stream": stream}
    if dialect == "anthropic":
        return "/v1/messages", body | {"max_tokens": 64}
    return "/v1/chat/completions", body


async def ask(
    tenant: LiveTenant, dialect: Dialect, model: str = "auto", *, stream: bool, workspace: str = "default"
) -> Seen:
    """Ask and read everything up to the end of the answer."""
    path, body = request(dialect, model, stream=stream)
    answer = await tenant.post(path, json=body, headers={"x-aios-workspace": workspace})
    return Seen(dialect, answer.status_code, answer.headers, answer.content)


async def governed(tenant: LiveTenant, *targets: str, **options: Any) -> str:
    """Set a policy in a workspace of its own and return the workspace."""
    workspace = f"w{next(_numbers)}"
    limits: dict[str, Any] = {"attempt_timeout_ms": ATTEMPT_MS, "idle_timeout_ms": IDLE_MS}
    await tenant.policy(workspace, rule(*targets, **limits), **options)
    return workspace
