"""The key management port and its embedded form: tenant keys in a 0600 file outside the database.

The file holds one wrapping key a tenant and version, each wrapped by the master key. Rotating a tenant's key
and destroying the old version makes every older copy of the keyring useless, backups included.
"""

from __future__ import annotations

import fcntl
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.kernel.errors import Corrupt


class WrappingKeyDestroyed(Corrupt):
    """A wrapping key that is gone for good was asked for."""


class TenantKey(msgspec.Struct, frozen=True):
    """A tenant's wrapping key; the version is stored beside everything it wraps."""

    version: int
    key: bytes

    def __repr__(self) -> str:
        return f"TenantKey(version={self.version})"


class Kms(Protocol):
    """Keeps wrapping keys. `open` raises WrappingKeyDestroyed for a version that was destroyed.

    `versions` lists those that are left; `destroy_before` forgets every version older than one.
    """

    def current(self, tenant: str) -> TenantKey: ...

    def open(self, tenant: str, version: int) -> TenantKey: ...

    def rotate(self, tenant: str) -> TenantKey: ...

    def versions(self, tenant: str) -> list[int]: ...

    def destroy_before(self, tenant: str, version: int) -> None: ...

    def derive(self, label: str) -> bytes: ...


class FileKms:
    """Tenant keys in one JSON file, changed under a file lock by writing a new file and renaming it."""

    def __init__(self, folder: Path, master_key: bytes) -> None:
        self._path = folder / "tenant-keys.json"
        self._lock = folder / "tenant-keys.lock"
        self._master = AESGCM(master_key)
        self._root = master_key
        self._cache: dict[tuple[str, int], TenantKey] = {}
        self._current: dict[str, int] = {}
        self._stamp = 0

    def current(self, tenant: str) -> TenantKey:
        """Return the tenant's wrapping key, made on first use."""
        self._refresh()
        version = self._current.get(tenant)
        return self.open(tenant, version) if version else self._add(tenant, only_if_missing=True)

    def open(self, tenant: str, version: int) -> TenantKey:
        """Return one version of the tenant's wrapping key. Raises WrappingKeyDestroyed."""
        self._refresh()
        found = self._cache.get((tenant, version))
        if found is None:
            raise WrappingKeyDestroyed(f"wrapping key {version} of tenant '{tenant}' was destroyed")
        return found

    def rotate(self, tenant: str) -> TenantKey:
        """Make a new current version; older versions stay until they are destroyed."""
        return self._add(tenant, only_if_missing=False)

    def versions(self, tenant: str) -> list[int]:
        """Return which versions of the tenant's wrapping key exist."""
        self._refresh()
        return [version for owner, version in self._cache if owner == tenant]

    def destroy_before(self, tenant: str, version: int) -> None:
        """Forget older versions for good: what they wrapped can never be opened again."""
        with self._changing() as content:
            old = [known for known in content.get(tenant, {}) if int(known) < version]
            for known in old:
                del content[tenant][known]

    def derive(self, label: str) -> bytes:
        """Return 32 bytes for one named purpose, derived from the master key (HKDF-SHA256)."""
        return HKDF(hashes.SHA256(), 32, b"aios", label.encode()).derive(self._root)

    def _add(self, tenant: str, *, only_if_missing: bool) -> TenantKey:
        with self._changing() as content:
            versions = content.setdefault(tenant, {})
            if not (only_if_missing and versions):
                number = max(map(int, versions), default=0) + 1
                versions[str(number)] = self._wrap(tenant, number, AESGCM.generate_key(256))
        return self.open(tenant, self._current[tenant])

    def _wrap(self, tenant: str, version: int, key: bytes) -> str:
        nonce = os.urandom(12)
        return b64encode(nonce + self._master.encrypt(nonce, key, f"{tenant}|{version}".encode())).decode()

    def _unwrap(self, tenant: str, version: int, wrapped: str) -> TenantKey:
        raw = b64decode(wrapped)
        try:
            return TenantKey(
                version, self._master.decrypt(raw[:12], raw[12:], f"{tenant}|{version}".encode())
            )
        except InvalidTag:
            raise Corrupt(f"AIOS_MASTER_KEY does not open the key file {self._path.name}") from None

    def _refresh(self) -> None:
        try:
            stamp = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            stamp = 0
        if stamp != self._stamp:
            self._load(stamp)

    def _load(self, stamp: int) -> None:
        content = json.loads(self._path.read_text()) if stamp else {}
        self._cache = {
            (tenant, int(version)): self._unwrap(tenant, int(version), wrapped)
            for tenant, versions in content.items()
            for version, wrapped in versions.items()
        }
        self._current = {tenant: max(map(int, versions)) for tenant, versions in content.items() if versions}
        self._stamp = stamp

    @contextmanager
    def _changing(self) -> Iterator[dict[str, dict[str, Any]]]:
        with os.fdopen(os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600), "r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            content = json.loads(self._path.read_text()) if self._path.exists() else {}
            yield content
            temporary = self._path.with_suffix(".new")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as new:
                json.dump(content, new)
                new.flush()
                os.fsync(new.fileno())
            temporary.replace(self._path)
            self._load(self._path.stat().st_mtime_ns)
