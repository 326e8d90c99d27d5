"""The embedding model that an installation's settings choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from infrastructure.embedded.embedding_model import EmbeddingModel
from infrastructure.embeddings.local import LocalEmbeddings
from infrastructure.embeddings.openai import OpenAIEmbeddings
from infrastructure.providers.catalog import OPENAI_URL
from infrastructure.settings import Settings


class Embedder(Protocol):
    """Turns texts into vectors, written as PostgreSQL reads them; both ways raise Unavailable."""

    model: str
    dimension: int
    remote: bool

    async def embed(self, texts: Sequence[str]) -> list[str]: ...

    async def embed_query(self, text: str) -> str: ...

    async def aclose(self) -> None: ...


def gateway_embeddings(settings: Settings, embedder: Embedder) -> LocalEmbeddings:
    """Return the embedded MiniLM, which the gateway always offers; the same one if memory uses it too."""
    if isinstance(embedder, LocalEmbeddings) and settings.embeddings == "minilm":
        return embedder
    return LocalEmbeddings(EmbeddingModel(settings.data_dir, "minilm"))


def configured_embeddings(settings: Settings) -> Embedder:
    """Return the model of `AIOS_EMBEDDINGS`; nothing is loaded or connected yet."""
    if settings.embeddings == "openai":
        return OpenAIEmbeddings(settings.openai_base_url or OPENAI_URL, settings.openai_api_key)
    return LocalEmbeddings(EmbeddingModel(settings.data_dir, settings.embeddings))
