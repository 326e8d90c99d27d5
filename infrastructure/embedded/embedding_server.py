"""The process of the embedded embedding model: texts in, unit vectors out, for every process that asks.

Run as a script (`python -I embedding_server.py MARK`) by a keeper, its settings as one JSON object on
standard input. It speaks frames on loopback: four bytes of length (big-endian), then msgpack, from `{key, id,
texts, urgent, count}` to `{id, model, dimension, vectors, tokens}` (float32, little-endian, one after the
other; the tokens of all texts, if they were to be counted) or `{id, error}`. Texts of all callers are
batched; urgent ones, such as queries, go first. It ends with its parent.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import struct
import sys
import zipfile
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

LENGTH = struct.Struct(">I")
LARGEST_FRAME = 32_000_000
LONGEST_TEXT = 4000
Embed = Callable[[list[str]], Any]


@dataclass(frozen=True)
class Engine:
    """A loaded model; `batch` texts at once are worth while, more only keep urgent ones waiting.

    `count` tells the tokens that the model reads of some texts.
    """

    model: str
    dimension: int
    batch: int
    embed: Embed
    count: Callable[[list[str]], int]


def minilm(settings: dict[str, Any]) -> Engine:
    """Load all-MiniLM-L6-v2 (ONNX, int8 weights): the mean over the last hidden states, first 256 tokens."""
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    with zipfile.ZipFile(settings["tokenizer_zip"]) as archive:
        described = checked(archive.read("tokenizer.json"), settings["tokenizer_sha256"], "tokenizer.json")
    tokenizer = Tokenizer.from_str(described.decode())
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")  # noqa: S106 - the word for filling up
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = settings["threads"]
    options.enable_cpu_mem_arena = False
    weights = checked(Path(settings["weights"]).read_bytes(), settings["weights_sha256"], settings["weights"])
    session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])

    def embed(texts: list[str]) -> Any:
        encoded = tokenizer.encode_batch(texts)
        ids = np.array([each.ids for each in encoded], np.int64)
        mask = np.array([each.attention_mask for each in encoded], np.int64)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (states,) = session.run(["last_hidden_state"], feed)
        weight = mask[:, :, None].astype(np.float32)
        return (states * weight).sum(axis=1) / weight.sum(axis=1)

    def count(texts: list[str]) -> int:
        return sum(sum(each.attention_mask) for each in tokenizer.encode_batch(texts))

    return Engine("all-minilm-l6-v2", 384, 8, embed, count)


def wordllama(settings: dict[str, Any]) -> Engine:
    """Load WordLlama: the mean of static token vectors, some hundred times faster and a little less apt."""
    from wordllama import WordLlama

    checked(Path(settings["weights"]).read_bytes(), settings["weights_sha256"], settings["weights"])
    loaded = WordLlama.load(dim=256, disable_download=True, cache_dir=Path(settings["package"]))

    def count(texts: list[str]) -> int:
        return sum(len(each.ids) for each in loaded.tokenizer.encode_batch(texts))

    return Engine("wordllama-256", 256, 32, loaded.embed, count)


ENGINES: dict[str, Callable[[dict[str, Any]], Engine]] = {"minilm": minilm, "wordllama": wordllama}


def checked(content: bytes, sha256: str, name: str) -> bytes:
    """Return the content when it is the pinned one; ends the process when it is not."""
    if hashlib.sha256(content).hexdigest() != sha256:
        sys.exit(f"{name} is not the file that this version of the product was tested with")
    return content


def unit_vectors(engine: Engine, texts: list[str]) -> Any:
    """Return one vector of length 1 a text; a text without any known token points along the first axis."""
    import numpy as np

    vectors = np.nan_to_num(np.asarray(engine.embed(readable(texts))))
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[norms[:, 0] == 0, 0] = 1.0
    return (vectors / np.where(norms == 0, 1.0, norms)).astype("<f4")


def readable(texts: list[str]) -> list[str]:
    """Return texts as far as a model looks at them."""
    return [text[:LONGEST_TEXT] or " " for text in texts]


def announced(place: Path, address: dict[str, Any]) -> None:
    """Write where the model listens, readable by its owner alone, in one step."""
    draft = place.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(address, file)
    draft.rename(place)


class Batcher:
    """Embeds what waits, urgent texts first, in batches of texts of like length; one thread does the work."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: tuple[deque[Any], deque[Any]] = (deque(), deque())
        self._news = asyncio.Event()
        self._thread = ThreadPoolExecutor(1)

    async def embed(self, texts: list[str], *, urgent: bool) -> bytes:
        """Return the vectors of some texts, one after the other."""
        loop = asyncio.get_running_loop()
        ordered = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        answers = {number: loop.create_future() for number in ordered}
        self._waiting[0 if urgent else 1].extend((texts[number], answers[number]) for number in ordered)
        self._news.set()
        return b"".join([await answers[number] for number in range(len(texts))])

    async def run(self) -> None:
        """Work for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._news.wait()
            batch = self._next()
            if not batch:
                self._news.clear()
                continue
            try:
                vectors = await loop.run_in_executor(
                    self._thread, unit_vectors, self._engine, [text for text, _ in batch]
                )
            except Exception as error:  # noqa: BLE001 - whatever a model stumbles over, the next batch is tried
                for _, answer in batch:
                    answer.done() or answer.set_exception(RuntimeError(type(error).__name__))
                continue
            for (_, answer), vector in zip(batch, vectors, strict=True):
                answer.done() or answer.set_result(vector.tobytes())

    def _next(self) -> list[Any]:
        waiting = self._waiting[0] or self._waiting[1]
        return [waiting.popleft() for _ in range(min(self._engine.batch, len(waiting)))]


class Server:
    """Answers frames of those who know the key of this start; several at once on one connection."""

    def __init__(self, engine: Engine, key: str) -> None:
        self._engine = engine
        self._key = key
        self._batcher = Batcher(engine)
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, announce: Path) -> None:
        """Write where it listens into a file, then serve while the parent lives."""
        parent = os.getppid()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._tasks.add(asyncio.create_task(self._batcher.run()))
        port = server.sockets[0].getsockname()[1]
        address = {"port": port, "pid": os.getpid(), "model": self._engine.model}
        announced(announce, {**address, "dimension": self._engine.dimension})
        while os.getppid() == parent:  # noqa: ASYNC110 - no event tells of a parent's end
            await asyncio.sleep(1.0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine: set[asyncio.Task[None]] = set()
        try:
            while True:
                (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                if length > LARGEST_FRAME:
                    return
                asked = msgspec.msgpack.decode(await reader.readexactly(length))
                if asked.pop("key", None) != self._key:
                    return
                task = asyncio.create_task(self._answer(asked, writer))
                mine.add(task)
                task.add_done_callback(mine.discard)
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError):
            return
        finally:
            for task in mine:
                task.cancel()
            writer.close()

    async def _answer(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        answer = {"id": asked["id"], "model": self._engine.model, "dimension": self._engine.dimension}
        try:
            answer["vectors"] = await self._batcher.embed(asked["texts"], urgent=asked.get("urgent", False))
            if asked.get("count"):
                answer["tokens"] = await asyncio.to_thread(self._engine.count, readable(asked["texts"]))
        except RuntimeError as error:
            answer["error"] = str(error)
        frame = msgspec.msgpack.encode(answer)
        writer.write(LENGTH.pack(len(frame)) + frame)
        await writer.drain()


def main(settings: dict[str, Any]) -> None:
    """Load `settings["engine"]` and serve; they also hold `key`, `announce`, `threads`, files and hashes."""
    engine = ENGINES[settings["engine"]](settings)
    unit_vectors(engine, ["warm up"])
    asyncio.run(Server(engine, settings["key"]).serve(Path(settings["announce"])))


if __name__ == "__main__":
    main(json.load(sys.stdin))
