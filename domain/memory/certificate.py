"""The certificate of an erasure: plain JSON values, signed over its canonical form without `signature`."""

from __future__ import annotations

import msgspec


class CertifiedSelector(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked to be erased; `subject` is a pseudonym."""

    subject: str | None
    category: str | None
    before_date: str | None
    expired_at: str | None


class CertifiedStore(msgspec.Struct, frozen=True, kw_only=True):
    """One store: items found, destroyed and left, and how its files were rewritten."""

    found: int
    destroyed: int
    left: int
    verified: bool
    rewritten: str


class KeyReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """Data keys destroyed at once; `key_ids_sha256` is of all sorted ids, one a line, `key_ids` the first."""

    destroyed: int
    attempts_to_open: int
    opened: int
    key_ids_sha256: str
    key_ids: list[str]
    destroyed_at: str


class CertifiedKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Data keys destroyed, and that none of the attempts to open one afterwards succeeded."""

    destroyed: int
    attempts_to_open: int
    opened: int
    receipts: list[KeyReceipt]


class CertifiedHead(msgspec.Struct, frozen=True, kw_only=True):
    """Where the log ended: its position and chain value (hex)."""

    position: int
    chain: str


class CertifiedLog(msgspec.Struct, frozen=True, kw_only=True):
    """The log before anything was destroyed and after everything was verified."""

    before: CertifiedHead
    after: CertifiedHead


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a certificate states. Times are ISO 8601 in UTC.

    `residual_until` is when the last backup that may hold something of it is gone.
    """

    certificate_version: int
    purge_id: str
    tenant: str
    status: str
    selector: CertifiedSelector
    reason: str
    legal_basis: str | None
    origin: str
    requested_by: str
    requested_at: str
    approved_by: str | None
    approved_at: str | None
    completed_at: str
    stores: dict[str, CertifiedStore]
    rekeyed: dict[str, int]
    keys: CertifiedKeys
    log: CertifiedLog
    holds_met: list[str]
    residual_until: str
    residual: str
    software: str


class Certificate(Statement, frozen=True, kw_only=True):
    """A signed statement; key and signature are base64."""

    algorithm: str
    key_id: str
    public_key: str
    signature: str
