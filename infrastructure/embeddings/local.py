"""Vectors of the embedded model: asks its process over one connection, which many askers share."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct
import time
from array import array
from collections.abc import Sequence
from typing import Any

import msgspec

from domain.kernel.errors import Unavailable
from infrastructure.embedded.embedding_model import EmbeddingEndpoint, EmbeddingModel
from infrastructure.embedded.errors import EmbeddedServiceError

_LENGTH = struct.Struct(">I")
AT_ONCE = 64
"""Texts a frame: long lists do not wait in one piece."""
FEW = 8
ANSWER_S = 60.0


PAUSES_S = (0.1, 1.0)
"""Before asking again: the model's process may have ended, or be about to end, with its last user."""


class LocalEmbeddings:
    """The embedded model as a port; connects, and starts the model, on first use."""

    remote = False

    def __init__(self, model: EmbeddingModel, *, patience_s: float = 30.0) -> None:
        self.model, self.dimension = model.name, model.dimension
        self._process = model
        self._patience_s = patience_s
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()

    async def embed(self, texts: Sequence[str]) -> list[str]:
        """Return one vector a text, as PostgreSQL reads it. Raises Unavailable."""
        found: list[str] = []
        for start in range(0, len(texts), AT_ONCE):
            vectors = await self._ask(texts[start : start + AT_ONCE], urgent=False)
            found += [written(vector) for vector in vectors]
        return found

    async def embed_query(self, text: str) -> str:
        """Return the vector of one query, before all texts that wait. Raises Unavailable."""
        return written((await self._ask([text], urgent=True))[0])

    async def vectors(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector a text as numbers. Raises Unavailable."""
        return [vector.tolist() for vector in await self._ask(texts, urgent=True)]

    async def counted(self, texts: Sequence[str]) -> tuple[list[array[float]], int]:
        """Return one vector a text, and how many tokens the model read of all. Raises Unavailable.

        A few texts go before those that wait, as queries do.
        """
        vectors: list[array[float]] = []
        tokens = 0
        for start in range(0, len(texts), AT_ONCE):
            part = texts[start : start + AT_ONCE]
            told = await self._told(part, urgent=len(texts) <= FEW, count=True)
            vectors += told.vectors
            tokens += told.tokens
        return vectors, tokens

    async def aclose(self) -> None:
        """Close the connection; the model's process ends with its last user."""
        if self._connection is not None:
            self._connection.close()
        await asyncio.to_thread(self._process.release)

    async def _ask(self, texts: Sequence[str], *, urgent: bool) -> list[array[float]]:
        return (await self._told(texts, urgent=urgent)).vectors

    async def _told(self, texts: Sequence[str], *, urgent: bool, count: bool = False) -> _Told:
        for pause in (*PAUSES_S, None):
            try:
                return await (await self._connected()).ask(texts, urgent=urgent, count=count)
            except ConnectionError as error:
                if pause is None:
                    detail = "the embedding model broke off; try again"
                    raise Unavailable("embeddings", detail, 1.0) from error
                await asyncio.sleep(pause)
        raise AssertionError("the last try answers or raises")

    async def _connected(self) -> _Connection:
        async with self._connecting:
            if self._connection is None or self._connection.closed:
                self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> _Connection:
        try:
            endpoint = await self._process.endpoint(time.monotonic() + self._patience_s)
        except EmbeddedServiceError as error:
            told = str(error).partition("\n")[0]
            raise Unavailable("embeddings", f"the embedding model does not answer: {told}", 5.0) from error
        return await _Connection.open(endpoint)


class _Told(msgspec.Struct, frozen=True):
    """Vectors, and the tokens of all texts if they were counted."""

    vectors: list[array[float]]
    tokens: int


class _Connection:
    """Frames to and from the model's process; answers are matched to questions by their ids."""

    def __init__(self, endpoint: EmbeddingEndpoint, reader: Any, writer: Any) -> None:
        self._key = endpoint.key
        self._reader: asyncio.StreamReader = reader
        self._writer: asyncio.StreamWriter = writer
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, endpoint: EmbeddingEndpoint) -> _Connection:
        return cls(endpoint, *await asyncio.open_connection("127.0.0.1", endpoint.port))

    @property
    def closed(self) -> bool:
        return self._reading.done()

    def close(self) -> None:
        self._reading.cancel()
        self._writer.close()

    async def ask(self, texts: Sequence[str], *, urgent: bool, count: bool) -> _Told:
        if self.closed:
            raise ConnectionError("closed")
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        question = {"key": self._key, "id": number, "texts": list(texts), "urgent": urgent, "count": count}
        frame = msgspec.msgpack.encode(question)
        try:
            self._writer.write(_LENGTH.pack(len(frame)) + frame)
            await self._writer.drain()
            told = await asyncio.wait_for(answer, ANSWER_S)
        except TimeoutError:
            raise Unavailable("embeddings", "the embedding model takes too long; try again", 5.0) from None
        finally:
            self._asked.pop(number, None)
        if "error" in told:
            raise Unavailable("embeddings", f"the embedding model failed ({told['error']})", 1.0)
        return _Told(_split(told["vectors"], told["dimension"]), told.get("tokens", 0))

    async def _read(self) -> None:
        try:
            while True:
                (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                told = msgspec.msgpack.decode(await self._reader.readexactly(length))
                waiting = self._asked.get(told["id"])
                if waiting is not None and not waiting.done():
                    waiting.set_result(told)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            for waiting in self._asked.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionError("the embedding model's process has ended"))
            with contextlib.suppress(OSError):
                self._writer.close()


def _split(raw: bytes, dimension: int) -> list[array[float]]:
    numbers = array("f")
    numbers.frombytes(raw)
    return [numbers[start : start + dimension] for start in range(0, len(numbers), dimension)]


def written(vector: Sequence[float]) -> str:
    """Return a vector as PostgreSQL reads it, with the four digits that half precision keeps."""
    return "[" + ",".join([f"{number:.4g}" for number in vector]) + "]"
