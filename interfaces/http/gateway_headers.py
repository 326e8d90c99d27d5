"""Reads the gateway's request headers: what the caller says beside the body."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from application.bus import Caller
from domain.kernel.errors import Forbidden, InvalidInput
from domain.kernel.names import DEFAULT_WORKSPACE

PREFIX: Final = b"x-aios-"
LONGEST: Final = 256
LONGEST_BUDGET_MS: Final = 3_600_000
# Caller headers that a provider of the same dialect understands and that carry no credential.
FORWARDED: Final = frozenset(
    {b"anthropic-version", b"anthropic-beta", b"openai-organization", b"openai-project", b"openai-beta"}
)
TEXTS: Final = {b"x-aios-segment": "segment", b"x-aios-session": "session", b"x-aios-user": "user"}


def read_headers(headers: Iterable[tuple[bytes, bytes]], caller: Caller) -> dict[str, Any]:
    """Return the GatewayCall's fields that come from headers.

    Raises InvalidInput for an unusable value, Forbidden for a workspace that the key is not bound to.
    """
    given = {name: value for name, value in headers if name.startswith(PREFIX) or name in FORWARDED}
    fields: dict[str, Any] = {TEXTS[name]: _text(name, given[name]) for name in TEXTS if name in given}
    fields["workspace"] = _workspace(given.get(b"x-aios-workspace"), caller)
    if (budget := given.get(b"x-aios-latency-budget-ms")) is not None:
        fields["latency_budget_ms"] = _milliseconds(budget)
    fields["fallback_off"] = _switch(given, b"x-aios-fallback", on=b"on", off=b"off") is False
    fields["dry_run"] = _switch(given, b"x-aios-dry-run", on=b"1", off=b"0") is True
    fields["forwarded"] = {
        name.decode(): value.decode("latin-1") for name, value in given.items() if name in FORWARDED
    }
    return fields


def _workspace(value: bytes | None, caller: Caller) -> str:
    if value is None:
        return caller.workspace or DEFAULT_WORKSPACE
    asked = _text(b"x-aios-workspace", value)
    if caller.workspace is not None and caller.workspace != asked:
        raise Forbidden(f"this key is bound to workspace '{caller.workspace}', not '{asked}'")
    return asked


def _text(name: bytes, value: bytes) -> str:
    try:
        text = value.decode("utf-8").strip()
    except UnicodeDecodeError:
        text = ""
    if not 0 < len(text) <= LONGEST or not text.isprintable():
        raise _unusable(name, f"1 to {LONGEST} printable characters of UTF-8")
    return text


def _milliseconds(value: bytes) -> int:
    text = value.strip()
    if not text.isdigit() or not 0 < int(text[:12]) <= LONGEST_BUDGET_MS:
        raise _unusable(b"x-aios-latency-budget-ms", f"a whole number from 1 to {LONGEST_BUDGET_MS}")
    return int(text)


def _switch(given: dict[bytes, bytes], name: bytes, *, on: bytes, off: bytes) -> bool | None:
    value = given.get(name)
    if value is None:
        return None
    if value.strip().lower() not in {on, off}:
        raise _unusable(name, f"{on.decode()} or {off.decode()}")
    return value.strip().lower() == on


def _unusable(name: bytes, accepted: str) -> InvalidInput:
    return InvalidInput.at(f"/{name.decode()}", f"this header takes {accepted}")
