"""The embedded Valkey heals: kills, torn files, many starts at once."""

import json
import os
import signal
from pathlib import Path

import pytest
import redis

from infrastructure.embedded.valkey import EmbeddedValkey
from tests.infrastructure.embedded.processes_alive import eventually, marked_processes
from tests.infrastructure.embedded.user_process import UserProcess


@pytest.fixture
def server(tmp_path: Path):
    server = EmbeddedValkey(tmp_path / "aios")
    yield server
    server.stop()


def client_of(server: EmbeddedValkey) -> redis.Redis:
    return redis.Redis.from_url(server.ensure_running().url)


def kill(server: EmbeddedValkey) -> int:
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not server.status())
    return pid


def test_a_killed_server_comes_back_with_every_acknowledged_write(server):
    with client_of(server) as client:
        for number in range(500):
            client.rpush("queue", number)

    killed = kill(server)

    with client_of(server) as client:
        assert client.llen("queue") == 500
    assert server.pid != killed


def test_a_log_with_a_torn_tail_is_read_up_to_the_tear(server, tmp_path):
    with client_of(server) as client:
        client.set("whole", "yes")
        client.set("torn", "no")
    kill(server)
    log = next((tmp_path / "aios/valkey/data/appendonlydir").glob("*.incr.aof"))
    os.truncate(log, log.stat().st_size - 3)

    with client_of(server) as client:
        assert client.get("whole") == b"yes"
        assert client.get("torn") is None


def test_a_record_whose_pid_now_belongs_to_another_program_is_healed(server, tmp_path):
    server.ensure_running()
    server.stop()
    record = tmp_path / "aios/valkey/server.json"
    forged = {"pid": os.getpid(), "keeper": os.getpid(), "socket": "/nowhere"}
    record.write_text(json.dumps(forged))

    assert not server.status()
    with client_of(server) as client:
        assert client.ping()
    server.stop()


def test_a_killed_keeper_takes_the_server_with_it_and_both_come_back(server):
    with client_of(server) as client:
        client.set("kept", "yes")
    os.kill(server._server.record()["keeper"], signal.SIGKILL)
    assert eventually(lambda: not server.status())

    with client_of(server) as client:
        assert client.get("kept") == b"yes"


def test_many_starts_at_once_give_one_server_that_ends_with_its_killed_users(server, tmp_path):
    users = [UserProcess("valkey", tmp_path / "aios", []) for _ in range(5)]
    try:
        answers = [user.answer() for user in users]
        assert len({answer["pid"] for answer in answers}) == 1
        with redis.Redis.from_url(answers[-1]["url"]) as client:
            assert client.ping()
    finally:
        for user in users:
            user.process.kill()
            user.process.communicate()
    assert eventually(lambda: not marked_processes(server._server.mark))
