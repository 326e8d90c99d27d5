"""Fixtures for the embedded services: an own data directory, stopped at the end of the test."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infrastructure.embedded.postgres import EmbeddedPostgres

SMALL = {"shared_buffers": "16MB", "fsync": "off"}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "aios"


@pytest.fixture
def make_postgres(data_dir: Path) -> Iterator[Callable[..., EmbeddedPostgres]]:
    made: list[EmbeddedPostgres] = []

    def make(directory: Path = data_dir, **options) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(directory, **{"settings": SMALL, **options}))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def as_user() -> list[str]:
    """A command prefix under which a process of root sees itself as user 1000 and has no right of root."""
    if os.geteuid() != 0:
        return []
    unshare = shutil.which("unshare")
    prefix = [unshare or "unshare", "--user", "--map-user=1000", "--map-group=1000"]
    if unshare is None or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this kernel lets root make no user namespace")
    return prefix


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")
