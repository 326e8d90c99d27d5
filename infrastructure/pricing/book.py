"""The price book as the product uses it: opened from a small file, answers in microseconds."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from datetime import datetime
from importlib.metadata import version as package_version
from importlib.util import find_spec
from pathlib import Path

import msgspec

from domain.kernel.errors import Corrupt
from domain.usage.pricing import UnitPrices
from infrastructure.pricing.edition import Edition, Model, Provider, dashed_date

PACKAGE = "genai-prices"
FORMAT = 2
_MODULE = "genai_prices"
_BUILT_IN = frozenset({"openai", "anthropic"})
_MOST_REMEMBERED = 4096
_EXTRACT_TIMEOUT_S = 120
_MODELS = msgspec.msgpack.Decoder(list[Model])


class PackagedPriceBook:
    """List prices from the pinned package; `version` is the package's with a hash of its data."""

    def __init__(self, edition: Edition) -> None:
        self.version = edition.version
        self._providers = {provider.id: provider for provider in edition.providers}
        self._models: dict[str, list[Model]] = {}
        self._by_address: dict[tuple[str, str], Provider | None] = {}
        self._found: dict[tuple[str, str, str], Model | None] = {}

    @classmethod
    def open(cls, directory: Path) -> PackagedPriceBook:
        """Open the installed package's book, extracting it into `directory` (once, some 2 s) when needed.

        Raises Corrupt when the package is broken.
        """
        edition = package_edition().name
        path = edition_path(directory, edition)
        try:
            return cls(_decode(path.read_bytes()))
        except (FileNotFoundError, Corrupt):
            data = _extract(edition)
        book = cls(_decode(data))
        _keep(path, data)
        return book

    def find(self, provider: str, base_url: str, model: str, at: datetime) -> UnitPrices | None:
        """Return a model's prices at a time; the seller is known by address, a built-in one else by name."""
        found = self._model(provider, base_url, model)
        return None if found is None else found.at(at)

    def context_window(self, provider: str, base_url: str, model: str) -> int | None:
        """Return how many tokens prompt and answer may hold together, None when the book does not know."""
        found = self._model(provider, base_url, model)
        return None if found is None else found.context_window

    def _model(self, provider: str, base_url: str, model: str) -> Model | None:
        key = (provider, base_url, model)
        if key not in self._found:
            if len(self._found) >= _MOST_REMEMBERED:
                self._found.clear()
            self._found[key] = self._search(provider, base_url, model.lower())
        return self._found[key]

    def _search(self, name: str, base_url: str, model: str) -> Model | None:
        provider = self._provider(name, base_url)
        if provider is None:
            return None
        return self._match(provider, model) or self._match(provider, dashed_date(model))

    def _provider(self, name: str, base_url: str) -> Provider | None:
        key = (name if name in _BUILT_IN else "", base_url)
        if key not in self._by_address:
            if len(self._by_address) >= _MOST_REMEMBERED:
                self._by_address.clear()
            seller = next((p for p in self._providers.values() if re.match(p.address, base_url)), None)
            self._by_address[key] = seller or self._providers.get(key[0])
        return self._by_address[key]

    def _match(self, provider: Provider, model: str) -> Model | None:
        for seller in (provider.id, *provider.also):
            for each in self._models_of(seller):
                if each.match.matches(model):
                    return each
        return None

    def _models_of(self, provider: str) -> list[Model]:
        if provider not in self._models:
            known = self._providers.get(provider)
            self._models[provider] = _MODELS.decode(known.models) if known else []
        return self._models[provider]


class PackageEdition(msgspec.Struct, frozen=True):
    """The installed package: its version, and the SHA-256 of its data in hex."""

    version: str
    source_hash: str

    @property
    def name(self) -> str:
        """Return the edition's name, `genai-prices/0.2.3+<start of the hash>`."""
        return f"{PACKAGE}/{self.version}+{self.source_hash[:12]}"


def package_edition() -> PackageEdition:
    """Return what is installed. Raises Corrupt when nothing is."""
    spec = find_spec(_MODULE)
    if spec is None or spec.origin is None:
        raise Corrupt(f"the package {PACKAGE} is not installed; install the locked requirements again")
    data = (Path(spec.origin).parent / "data.py").read_bytes()
    return PackageEdition(package_version(PACKAGE), hashlib.sha256(data).hexdigest())


def edition_path(directory: Path, edition: str) -> Path:
    """Return where the extracted edition is kept."""
    return directory / f"{re.sub(r'[^0-9A-Za-z.]', '-', edition)}.v{FORMAT}.msgpack"


def _extract(edition: str) -> bytes:
    run = subprocess.run(
        [sys.executable, "-m", "infrastructure.pricing.extract", edition],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_EXTRACT_TIMEOUT_S,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    if run.returncode != 0:
        problem = run.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise Corrupt(f"the prices of {edition} cannot be read: {problem}")
    return run.stdout


def _decode(data: bytes) -> Edition:
    try:
        return msgspec.msgpack.decode(data, type=Edition)
    except msgspec.MsgspecError as error:
        raise Corrupt(f"a price file does not decode: {error}") from error


def _keep(path: Path, data: bytes) -> None:
    """Put the file in place in one step; several processes may do so at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(path)
