"""What of a prompt and its answer is stored: nothing without the policy's word, and never unscrubbed text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from application.processes.gateway.call import GatewayCall
from domain.orchestration.routing import Route

if TYPE_CHECKING:  # the guard is made of what records are a part of
    from application.processes.gateway.pii.guard import Guard

RECORDED_PROMPT = ("messages", "system", "input")


def prompt(call: GatewayCall, route: Route, guard: Guard | None) -> str | None:
    """Return the prompt as it may be stored, None when it may not."""
    if not route.record_content or (guard is not None and not guard.clean_prompt):
        return None
    body = call.request.body
    return msgspec.json.encode({name: body[name] for name in RECORDED_PROMPT if name in body}).decode()


def answer(text: str | None, route: Route, guard: Guard | None) -> str | None:
    """Return the answer's text as it may be stored, None when it may not."""
    if not route.record_content:
        return None
    return text if guard is None else guard.stored(text)
