"""`aios up` as an operator meets it: clear refusals, one stop however it is asked, data that stays."""

from __future__ import annotations

import base64
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.embedded.locks import FileLock
from tests.product import CLI, ROOT, Product, living, product_in, run_cli, wait_until

LINES = r"^Admin console: (http://127\.0\.0\.1:\d+)/admin\nAPI docs: \1/docs\nAPI key: (\S+)$"
PARTS = {"up", "projector", "api", "outbox", "worker", "scheduler", "postgres", "valkey"}


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Product]:
    """A product that a test starts; whatever happens, nothing of it is left."""
    made = product_in(tmp_path / "d")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()
    assert living(made.data_dir) == []


def test_a_second_start_keeps_data_and_each_stop_leaves_nothing(stopped: Product) -> None:
    stopped.start()
    assert re.search(LINES, stopped.output, re.MULTILINE)
    wait_until(lambda: set(stopped.pids) == PARTS, told=lambda: str(stopped.pids))
    with stopped.client() as client:
        made = client.post("/api/ai-advanced/tenants", json={"tenant_id": "kept", "name": "Kept"})
        assert made.status_code == 201, made.text
    first_key = stopped.api_key

    assert stopped.stop(signal.SIGINT) == 0
    stopped.start()

    assert stopped.api_key == first_key
    with stopped.client(made.json()["admin_key"]) as client:
        assert client.get("/api/ai-advanced/keys").status_code == 200

    second = run_cli("up", env=stopped.env)
    assert second.returncode == 1
    assert "another `aios up`" in second.stderr
    assert str(stopped.data_dir) in second.stderr
    assert stopped.healthy()

    assert stopped.process is not None
    os.killpg(stopped.process.pid, signal.SIGTERM)
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        stopped.process.send_signal(sign)
    assert stopped.ended() == 0


def test_a_stop_during_the_first_start_leaves_nothing(stopped: Product) -> None:
    with stopped.log.open("wb") as output:
        stopped.process = subprocess.Popen(
            [*CLI, "up"], env=stopped.env, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
        )
    wait_until(lambda: "creating the database" in stopped.output, 120, lambda: stopped.output)
    assert stopped.stop() == 0
    assert "Traceback" not in stopped.output


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("AIOS_MASTER_KEY", "bm90IDMyIGJ5dGVz", "32 bytes in base64"),
        ("DATABASE_URL", "mysql://user:hunter2@host/x", "postgresql://"),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_line_that_names_it(
    tmp_path: Path, variable: str, value: str, says: str
) -> None:
    done = run_cli("up", env=product_in(tmp_path / "d", **{variable: value}).env)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"aios: {variable}: ")
    assert re.search(says, done.stderr)
    assert value not in done.stderr
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("file", "content", "variable"),
    [
        ("admin.key", b"\xff\xfe\x00", "AIOS_ADMIN_KEY"),
        ("keys/master.key", base64.b64encode(b"too short"), "AIOS_MASTER_KEY"),
    ],
)
def test_a_damaged_key_file_is_named_with_the_cure(
    tmp_path: Path, file: str, content: bytes, variable: str
) -> None:
    made = product_in(tmp_path / "d")
    damaged = made.data_dir / file
    damaged.parent.mkdir(parents=True, exist_ok=True)
    damaged.write_bytes(content)
    done = run_cli("up", env=made.env)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"aios: {variable}: ")
    assert str(damaged) in done.stderr
    assert damaged.read_bytes() == content
    assert living(made.data_dir) == []


def test_a_port_in_use_is_named_with_the_cure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_cli("up", env=product_in(tmp_path / "d", AIOS_PORT=port).env)
    assert done.returncode == 1
    assert done.stderr.startswith(f"aios: port {port} ")
    assert "AIOS_PORT" in done.stderr
    assert living(tmp_path / "d") == []


def test_a_data_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("a file")
    done = run_cli("up", env=product_in(tmp_path / "d").env)
    assert done.returncode == 1
    assert str(tmp_path / "d") in done.stderr
    assert "Traceback" not in done.stderr


def test_the_lock_of_a_killed_product_is_free(tmp_path: Path) -> None:
    with FileLock(tmp_path / "up.lock") as lock:
        holder = subprocess.Popen(["sleep", "600"], pass_fds=[lock.fd])
        assert lock.try_take()
    holder.kill()
    holder.wait()
    with FileLock(tmp_path / "up.lock") as again:
        assert again.try_take()
