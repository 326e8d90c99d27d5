"""The embedded embedding models, asked for real vectors."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.kernel.errors import Unavailable
from infrastructure.embedded.embedding_model import MODELS, EmbeddingModel, EngineName
from infrastructure.embeddings.local import LocalEmbeddings
from tests.product import wait_until


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embeddings") / "aios"


@pytest.fixture(params=sorted(MODELS))
async def embeddings(request: pytest.FixtureRequest, directory: Path) -> AsyncIterator[LocalEmbeddings]:
    made = LocalEmbeddings(EmbeddingModel(directory, request.param), patience_s=120)
    yield made
    await made.aclose()


@pytest.fixture(scope="module", autouse=True)
def stopped(directory: Path):
    keepers = {engine: EmbeddingModel(directory, engine) for engine in MODELS}
    yield
    for keeper in keepers.values():
        keeper.stop()


def alike(first: list[float], second: list[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


async def test_texts_that_mean_alike_are_nearer(embeddings: LocalEmbeddings) -> None:
    cat, kitten, stocks = await embeddings.vectors(
        ["a cat sits on the mat", "the kitten lies on a mat", "share prices fell sharply"]
    )
    assert alike(cat, kitten) > alike(cat, stocks) + 0.2
    assert len(cat) == embeddings.dimension == MODELS[_engine(embeddings)][1]


async def test_the_tokens_that_were_read_are_counted(embeddings: LocalEmbeddings) -> None:
    vectors, few = await embeddings.counted(["hello world", "hi"])
    assert len(vectors) == 2
    assert 2 <= few <= 8
    _, many = await embeddings.counted(["hello world", "hi"] * 70)
    assert many == 70 * few
    _, cut = await embeddings.counted(["hello " * 5000])
    assert cut < 5000


async def test_every_vector_has_length_one_whatever_the_text(embeddings: LocalEmbeddings) -> None:
    texts = ["", " ", "\0", "\U0001f600" * 50, "x" * 100_000, "word " * 20_000, "日本語のテキスト"]
    for vector in await embeddings.vectors(texts):
        assert alike(vector, vector) == pytest.approx(1.0, abs=1e-3)


async def test_nothing_is_kept_to_be_told_to_the_runtimes_maker(
    embeddings: LocalEmbeddings, directory: Path
) -> None:
    await embeddings.embed_query("hello")
    assert not any("Microsoft" in name for name in names_below(directory))


def names_below(directory: Path) -> list[str]:
    return [path.name for path in directory.rglob("*")]


async def test_the_order_is_that_of_the_texts(embeddings: LocalEmbeddings) -> None:
    texts = [f"{'long ' * (n % 7)}text number {n}" for n in range(150)]
    together = await embeddings.embed(texts)
    assert len(together) == 150
    for number in (0, 5, 149):
        alone = json.loads(await embeddings.embed_query(texts[number]))
        assert alike(alone, json.loads(together[number])) > 0.98


async def test_many_askers_share_the_process(embeddings: LocalEmbeddings) -> None:
    answers = await asyncio.gather(*(embeddings.embed([f"text {n % 3}"]) for n in range(40)))
    assert len({answer[0] for answer in answers}) <= 6  # three texts; batches differ in the last digit


async def test_a_killed_process_is_started_anew(directory: Path) -> None:
    model = EmbeddingModel(directory, "wordllama")
    embeddings = LocalEmbeddings(model, patience_s=120)
    first = await embeddings.embed_query("hello")
    killed = model.pid
    assert killed
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: model.pid is None)
    assert await embeddings.embed_query("hello") == first
    assert model.pid not in {None, killed}
    await embeddings.aclose()


async def test_what_cannot_be_loaded_is_unavailable(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing: EngineName = "wordllama"
    embeddings = LocalEmbeddings(_Unloadable(directory / "other", missing), patience_s=120)
    with pytest.raises(Unavailable, match="embedding model"):
        await embeddings.embed(["text"])


class _Unloadable(EmbeddingModel):
    """A model whose files are not the pinned ones."""

    def _prepare(self):
        launch = super()._prepare()
        settings = json.loads(launch.input) | {"weights_sha256": "0" * 64}
        return type(launch)(**{**vars(launch), "input": json.dumps(settings)})


def _engine(embeddings: LocalEmbeddings) -> EngineName:
    return next(engine for engine, (name, _) in MODELS.items() if name == embeddings.model)
