"""Fixtures of the HTTP tests: a world of fakes and a client of the application on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient

from interfaces.http.app import create_app
from tests.interfaces.http.fakes import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(dist=tmp_path / "dist")


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    with TestClient(create_app(world.services()), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def admin() -> dict[str, str]:
    return {"authorization": "Bearer key-admin"}
