"""The embedded language model comes back after a kill, and does not outlive the processes it serves."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from infrastructure.embedded.local_model import LocalModel
from tests.infrastructure.embedded.processes_alive import eventually, marked_processes
from tests.infrastructure.embedded.user_process import user_process


@pytest.fixture
def model(tmp_path: Path):
    model = LocalModel(tmp_path / "aios")
    yield model
    model.stop()


async def test_a_killed_model_is_loaded_again_when_asked_for(model):
    before = await model.endpoint(time.monotonic() + 120)
    killed = model.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    assert await asyncio.to_thread(eventually, lambda: not model.status())

    after = await model.endpoint(time.monotonic() + 120)

    assert model.pid != killed
    assert after.api_key != before.api_key


def test_a_model_ends_when_its_only_user_is_killed(model, tmp_path):
    with user_process("local-model", tmp_path / "aios") as user:
        user.answer()
        mark = model._server.mark
        assert marked_processes(mark)
        user.process.kill()

        assert eventually(lambda: not marked_processes(mark))
