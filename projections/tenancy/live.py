"""The keys in memory: every request is authenticated from here, so a revocation holds once it is applied."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from domain.kernel.errors import Unauthenticated
from domain.kernel.events import Envelope
from domain.tenancy.events import ApiKeyCreated, ApiKeyRevoked
from domain.tenancy.principal import Principal
from domain.tenancy.secrets import LONGEST_KEY, digest_of

TYPES: tuple[str, ...] = (ApiKeyCreated.TYPE, ApiKeyRevoked.TYPE)


class _Entry(msgspec.Struct):
    """A key that was made, and what became of it."""

    principal: Principal
    expires_at: datetime | None
    revoked_at: datetime | None = None


class KeyDirectory:
    """Folds key events; answers who a presented key speaks for."""

    def __init__(self) -> None:
        self._by_digest: dict[bytes, _Entry] = {}
        self._digests: dict[tuple[str, str], bytes] = {}

    def apply(self, envelope: Envelope[Any]) -> None:
        """Fold one event; events of other types change nothing."""
        event = envelope.event
        if isinstance(event, ApiKeyCreated):
            self._add(envelope.tenant, event)
        elif isinstance(event, ApiKeyRevoked):
            digest = self._digests.get((envelope.tenant, event.key_id), b"")
            entry = self._by_digest.get(digest)
            if entry is not None and entry.principal.key_id == event.key_id:
                entry.revoked_at = envelope.recorded_at

    def authenticate(self, presented_key: str, now: datetime) -> Principal:
        """Return the principal of a key, in constant time for every number of keys.

        The lookup goes by SHA-256, so its timing tells nothing about the key. Raises Unauthenticated, which
        says whether the key is unknown, revoked or expired.
        """
        if not presented_key:
            raise Unauthenticated("no API key: send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'")
        entry = None
        if len(presented_key) <= LONGEST_KEY:
            entry = self._by_digest.get(digest_of(presented_key))
        if entry is None:
            raise Unauthenticated("this API key is not known; check that it is complete, or create a new one")
        return _usable(entry, now)

    def principal_of(self, tenant: str, key_id: str, now: datetime) -> Principal:
        """Return the principal of a key by its id, as a console session does; see `authenticate`."""
        entry = self._by_digest.get(self._digests.get((tenant, key_id), b""))
        if entry is None:
            raise Unauthenticated("the API key of this session is not known; sign in again")
        return _usable(entry, now)

    def _add(self, tenant: str, event: ApiKeyCreated) -> None:
        digest = bytes.fromhex(event.key_hash)
        principal = Principal(
            tenant=tenant,
            key_id=event.key_id,
            name=event.name,
            roles=frozenset(event.roles),
            workspace=event.workspace_id,
        )
        self._by_digest[digest] = _Entry(principal, event.expires_at)
        self._digests[tenant, event.key_id] = digest


def _usable(entry: _Entry, now: datetime) -> Principal:
    if entry.revoked_at is not None:
        raise Unauthenticated(f"this API key was revoked at {_text(entry.revoked_at)}; use another one")
    if entry.expires_at is not None and now >= entry.expires_at:
        raise Unauthenticated(f"this API key expired at {_text(entry.expires_at)}; use another one")
    return entry.principal


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
