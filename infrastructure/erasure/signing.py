"""Signs certificates, and checks them without anything but the certificate and the public key."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from infrastructure.runtime import Runtime

ALGORITHM = "Ed25519"
LABEL = "audit-signing"
"""The purpose under which the signing key is derived from the master key."""


class Checked(msgspec.Struct, frozen=True):
    """What checking a certificate came to; `problem` is empty when its signature is good."""

    problem: str
    key_id: str = ""
    purge_id: str = ""

    @property
    def ok(self) -> bool:
        """Tell whether the certificate is what was signed."""
        return not self.problem


class Signer:
    """Signs canonical JSON (RFC 8785) with Ed25519; `seed` are 32 secret bytes."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        raw = self._key.public_key().public_bytes_raw()
        self.public_key = base64.b64encode(raw).decode()
        self.key_id = key_id_of(raw)

    def sign(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a document with algorithm, key and signature; the signature covers all other members."""
        signed = {
            **document,
            "algorithm": ALGORITHM,
            "key_id": self.key_id,
            "public_key": self.public_key,
        }
        signature = self._key.sign(rfc8785.dumps(signed))
        return {**signed, "signature": base64.b64encode(signature).decode()}


def signer(runtime: Runtime) -> Signer:
    """Return who signs certificates: its key is derived from the master key, the same on every process."""
    return Signer(runtime.kms.derive(LABEL))


def key_id_of(public_key: bytes) -> str:
    """Return a public key's short name: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def check(raw: bytes, trusted_key: str | None = None) -> Checked:
    """Check a certificate's bytes. With `trusted_key` (base64) it must have been signed by that key."""
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Checked("this is not JSON")
    if not isinstance(document, dict) or not isinstance(document.get("signature"), str):
        return Checked("this is no signed certificate: it has no signature")
    if trusted_key is not None and document.get("public_key") != trusted_key:
        return Checked("it was signed by another key than the trusted one", str(document.get("key_id")))
    try:
        key_id = _verify(document)
    except InvalidSignature:
        return Checked("the signature does not fit: the certificate was altered")
    except (ValueError, binascii.Error, rfc8785.CanonicalizationError):
        return Checked("its key, its signature or its content cannot be read")
    return Checked("", key_id, str(document.get("purge_id", "")))


def _verify(document: Mapping[str, Any]) -> str:
    """Return the id of the key that signed a document. Raises InvalidSignature, or ValueError."""
    public = base64.b64decode(str(document.get("public_key")), validate=True)
    signature = base64.b64decode(document["signature"], validate=True)
    unsigned = {name: value for name, value in document.items() if name != "signature"}
    Ed25519PublicKey.from_public_bytes(public).verify(signature, rfc8785.dumps(unsigned))
    if document.get("key_id") != key_id_of(public):
        raise InvalidSignature
    return key_id_of(public)
