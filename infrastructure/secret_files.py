"""The installation's own secrets: given by the environment, or made once and kept in 0600 files.

They lie in the data directory beside the database, never in it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from infrastructure.settings import (
    MASTER_KEY_BYTES,
    Settings,
    SettingsError,
    checked_admin_key,
    checked_master_key,
)


def admin_key_path(settings: Settings) -> Path:
    """Return where a generated AIOS_ADMIN_KEY is kept."""
    return settings.data_dir / "admin.key"


def admin_key(settings: Settings) -> str:
    """Return the bootstrap API key, made on first use when the environment gives none.

    Raises SettingsError when the file that keeps it is damaged.
    """
    if settings.admin_key is not None:
        return settings.admin_key
    path = admin_key_path(settings)
    text = _kept("AIOS_ADMIN_KEY", path, lambda: f"aios_admin_{secrets.token_urlsafe(32)}")
    try:
        return checked_admin_key(text)
    except ValueError as error:
        raise SettingsError(
            f"AIOS_ADMIN_KEY: the file {path} is damaged ({error}); remove it to have a new key made"
        ) from None


def keys_folder(settings: Settings) -> Path:
    """Return the private folder of the master key and the tenants' wrapping keys."""
    folder = settings.data_dir / "keys"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def master_key(settings: Settings) -> bytes:
    """Return the master key, made on first use when the environment gives none. Raises SettingsError."""
    if settings.master_key is not None:
        return settings.master_key
    path = keys_folder(settings) / "master.key"
    draw = secrets.token_bytes
    text = _kept("AIOS_MASTER_KEY", path, lambda: base64.b64encode(draw(MASTER_KEY_BYTES)).decode())
    try:
        return checked_master_key(text)
    except ValueError:
        raise SettingsError(
            f"AIOS_MASTER_KEY: the file {path} is damaged; restore it from its backup, "
            "for without it sealed data cannot be read"
        ) from None


class DerivedSecrets:
    """Randomness of API keys that is repeatable for a repeated command (tenancy's SecretSource)."""

    def __init__(self, root: bytes) -> None:
        self._root = root

    def seed(self, purpose: str, tenant: str, command_id: str) -> bytes:
        """Return 32 bytes: HMAC-SHA-256 of the three texts, each behind its length."""
        parts = [part.encode() for part in (purpose, tenant, command_id)]
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.new(self._root, message, hashlib.sha256).digest()


def _kept(variable: str, path: Path, make: Callable[[], str]) -> str:
    """Return a secret file's content, written whole and once even when several processes start together."""
    try:
        if not path.exists():
            _write_once(path, make())
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"{variable}: cannot use the file {path}: {why}") from None


def _write_once(path: Path, content: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()
