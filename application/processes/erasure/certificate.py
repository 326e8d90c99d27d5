"""What an erasure's certificate says: what was asked for, by whom, what was found, destroyed and verified."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from domain.memory.certificate import (
    CertifiedHead,
    CertifiedKeys,
    CertifiedLog,
    CertifiedSelector,
    CertifiedStore,
    KeyReceipt,
    Statement,
)
from domain.memory.purge import Purge
from domain.memory.selection import Selection

VERSION = 1
RESIDUAL = (
    "the live stores and the write-ahead log hold nothing of it; backups made before completed_at may hold "
    "ciphertext whose keys are gone, and copies of read models, until residual_until"
)


def certificate_of(
    purge: Purge,
    *,
    tenant: str,
    head: tuple[int, str],
    software: str,
    at: datetime,
    backups_kept: timedelta,
) -> Statement:
    """Return what the certificate of an erasure states whose steps are all done."""
    requested, first = purge.requested, purge.scopes[0]
    if requested is None or purge.verified is None:
        raise ValueError("only a verified erasure has a certificate")
    approved = purge.approved
    return Statement(
        certificate_version=VERSION,
        purge_id=requested.purge_id,
        tenant=tenant,
        status="completed",
        selector=_selector(requested.selection),
        reason=requested.reason,
        legal_basis=requested.legal_basis,
        origin=requested.origin,
        requested_by=requested.requested_by,
        requested_at=_text(requested.requested_at),
        approved_by=approved.approved_by if approved else None,
        approved_at=_text(approved.approved_at) if approved else None,
        completed_at=_text(at),
        stores=_stores(purge),
        rekeyed={s: n for rekeyed in purge.rekeyed for s, n in rekeyed.kept.items() if n},
        keys=_keys(purge),
        log=CertifiedLog(
            before=CertifiedHead(position=first.head, chain=first.chain),
            after=CertifiedHead(position=head[0], chain=head[1]),
        ),
        holds_met=[hold.hold_id for hold in requested.selection.spared],
        residual_until=_text(at + backups_kept),
        residual=RESIDUAL,
        software=software,
    )


def _selector(selection: Selection) -> CertifiedSelector:
    return CertifiedSelector(
        subject=selection.subject,
        category=selection.category,
        before_date=_text(selection.before) if selection.before else None,
        expired_at=_text(selection.expiry.at) if selection.expiry else None,
    )


def _stores(purge: Purge) -> dict[str, CertifiedStore]:
    left: Mapping[str, int] = purge.verified.left if purge.verified else {}
    return {
        store: CertifiedStore(
            found=count,
            destroyed=count - left[store],
            left=left[store],
            verified=left[store] == 0,
            rewritten=purge.rewritten.get(store, ""),
        )
        for store, count in sorted(purge.found().items())
    }


def _keys(purge: Purge) -> CertifiedKeys:
    return CertifiedKeys(
        destroyed=sum(each.destroyed for each in purge.destroyed),
        attempts_to_open=sum(each.attempts for each in purge.destroyed),
        opened=sum(each.opened_after for each in purge.destroyed),
        receipts=[
            KeyReceipt(
                destroyed=each.destroyed,
                attempts_to_open=each.attempts,
                opened=each.opened_after,
                key_ids_sha256=each.key_ids_sha256,
                key_ids=list(each.key_ids),
                destroyed_at=_text(each.destroyed_at),
            )
            for each in purge.destroyed
        ],
    )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
