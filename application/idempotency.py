"""The port to the memory of repeated writes: which keys were used, for what, with which answer."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """A finished answer as it left."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """Where a key stands: `owned` by this attempt, `running` elsewhere, `answered`, or of `other` input.

    `command_id` is that of the first attempt, so what it stored is not stored again.
    """

    state: Literal["owned", "running", "answered", "other"]
    command_id: str = ""
    answer: Answer | None = None


class IdempotencyStore(Protocol):
    """Remembers the keys of a tenant for 24 hours, across crashes.

    An attempt owns its key for ten seconds at a time: one that stops renewing loses it to the next. Every
    method raises Unavailable("database") when the store does not answer.
    """

    async def begin(
        self, tenant: str, key: str, *, fingerprint: bytes, owner: str, command_id: str
    ) -> Attempt:
        """Take the key for a request, or tell why not; a new key keeps `command_id` for all its attempts."""
        ...

    async def renew(self, tenant: str, key: str, owner: str) -> None: ...

    async def finish(self, tenant: str, key: str, owner: str, answer: Answer) -> None:
        """Keep the answer; no change when another attempt has taken the key over."""
        ...

    async def release(self, tenant: str, key: str, owner: str) -> None:
        """Give the key up without an answer; the next attempt repeats the command under its old id."""
        ...
