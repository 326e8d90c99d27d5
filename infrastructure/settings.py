"""Reads the environment and `.env` once, at the start; a wrong value names its variable, not its content."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from dotenv import dotenv_values

T = TypeVar("T")
MASTER_KEY_BYTES = 32
MOST_WEBHOOK_SECRETS = 2
SHORTEST_ADMIN_KEY, LONGEST_ADMIN_KEY = 16, 512


class SettingsError(Exception):
    """A variable has a value that cannot be used; the message is one line."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting, typed; unset secrets are None and come from files in the data directory."""

    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = Path(".aios")
    admin_key: str | None = None
    master_key: bytes | None = None
    web_workers: int = 1
    worker_processes: int = 1
    database_url: str | None = None
    keyring_url: str | None = None
    redis_url: str | None = None
    ai_provider: str = "local"
    ai_model: str | None = None
    ai_temperature: float = 0.7
    openai_api_key: str | None = None
    openai_base_url: str | None = None
    anthropic_api_key: str | None = None
    anthropic_base_url: str | None = None
    local_model: Path | None = None
    stripe_secret_key: str | None = None
    stripe_webhook_secrets: tuple[str, ...] = ()
    stripe_api_base: str | None = None
    egress: Literal["private", "public"] = "private"
    log_level: str = "INFO"

    def __repr__(self) -> str:
        return f"Settings(data_dir={self.data_dir}, host={self.host}, port={self.port})"


def load(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Return the settings; variables of the environment win over those of `.env` in `folder`.

    Raises SettingsError for the first unusable value.
    """
    file = (folder or Path.cwd()) / ".env"
    found = _dotenv(file) if file.is_file() else {}
    found.update(os.environ if environment is None else environment)
    values: dict[str, Any] = {}
    for variable, (field, read) in _VARIABLES.items():
        text = found.get(variable, "").strip()
        if text:
            values[field] = _read(variable, text, read)
    settings = Settings(**values)
    return msgspec.structs.replace(settings, data_dir=settings.data_dir.expanduser().absolute())


def _dotenv(file: Path) -> dict[str, str]:
    try:
        return {name: value for name, value in dotenv_values(file).items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f".env: {file} cannot be read: {why}") from None


def _read(variable: str, text: str, read: Callable[[str], T]) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise SettingsError(f"{variable}: {error}") from None


def _text(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds characters that cannot be printed; set it again")
    return text


def _integer(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def _temperature(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 2:
        raise ValueError("must be a number from 0 to 2")
    return value


def _url(*schemes: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if urlsplit(text).scheme not in schemes:
            raise ValueError(f"must be a URL that begins with {' or '.join(f'{s}://' for s in schemes)}")
        return text

    return read


def checked_master_key(text: str) -> bytes:
    """Return the 32 bytes that a base64 text stands for; raises ValueError when it is none of 32 bytes."""
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != MASTER_KEY_BYTES:
        raise ValueError("must be 32 bytes in base64; make one with: openssl rand -base64 32")
    return key


def checked_admin_key(text: str) -> str:
    """Return a usable bootstrap key; raises ValueError that says what is wrong, without the key."""
    fits = SHORTEST_ADMIN_KEY <= len(text) <= LONGEST_ADMIN_KEY
    if not fits or not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError(
            f"must have {SHORTEST_ADMIN_KEY} to {LONGEST_ADMIN_KEY} printable ASCII characters, no blanks"
        )
    return text


def _choice(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text

    return read


def _secrets(text: str) -> tuple[str, ...]:
    """Return secrets that are separated by commas, two while one replaces the other."""
    secrets = tuple(part.strip() for part in _text(text).split(","))
    if not all(secrets) or len(secrets) > MOST_WEBHOOK_SECRETS:
        raise ValueError("give one secret, or two with a comma between them; an empty one lets anybody sign")
    return secrets


def _model_file(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise ValueError("names no file; give the path of a GGUF model")
    return path


_VARIABLES: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "AIOS_HOST": ("host", _text),
    "AIOS_PORT": ("port", _integer(0, 65535)),
    "AIOS_DATA_DIR": ("data_dir", Path),
    "AIOS_ADMIN_KEY": ("admin_key", checked_admin_key),
    "AIOS_MASTER_KEY": ("master_key", checked_master_key),
    "AIOS_WEB_WORKERS": ("web_workers", _integer(1, 64)),
    "AIOS_WORKER_PROCESSES": ("worker_processes", _integer(1, 64)),
    "DATABASE_URL": ("database_url", _url("postgresql", "postgres")),
    "AIOS_KEYRING_URL": ("keyring_url", _url("postgresql", "postgres")),
    "REDIS_URL": ("redis_url", _url("redis", "rediss", "unix")),
    "AI_PROVIDER": ("ai_provider", _text),
    "AI_MODEL": ("ai_model", _text),
    "AI_TEMPERATURE": ("ai_temperature", _temperature),
    "OPENAI_API_KEY": ("openai_api_key", _text),
    "OPENAI_BASE_URL": ("openai_base_url", _url("http", "https")),
    "ANTHROPIC_API_KEY": ("anthropic_api_key", _text),
    "ANTHROPIC_BASE_URL": ("anthropic_base_url", _url("http", "https")),
    "STRIPE_SECRET_KEY": ("stripe_secret_key", _text),
    "STRIPE_WEBHOOK_SECRET": ("stripe_webhook_secrets", _secrets),
    "STRIPE_API_BASE": ("stripe_api_base", _url("http", "https")),
    "AIOS_LOCAL_MODEL": ("local_model", _model_file),
    "AIOS_EGRESS": ("egress", _choice("private", "public")),
    "AIOS_LOG_LEVEL": ("log_level", _choice("DEBUG", "INFO", "WARNING", "ERROR")),
}
