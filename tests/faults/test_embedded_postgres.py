"""The embedded PostgreSQL heals: forged pid files, kills of every process, many starts at once."""

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from infrastructure.embedded.errors import EmbeddedServiceError, ServiceStartError, ServiceStillStarting
from infrastructure.embedded.locks import FileLock
from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.embedded.postgres_endpoint import draw_credentials
from tests.infrastructure.embedded.conftest import SMALL
from tests.infrastructure.embedded.processes_alive import eventually, marked_processes
from tests.infrastructure.embedded.user_process import UserProcess, user_process


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "aios"


@pytest.fixture
def server(data_dir: Path):
    server = EmbeddedPostgres(data_dir, settings=SMALL)
    yield server
    server.stop()


def kept_rows(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def is_held(path: Path) -> bool:
    with FileLock(path) as lock:
        return not lock.try_take()


def make_table(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id")


def forge_pid_file(data_dir: Path, pid: int) -> None:
    data = data_dir / "postgres" / "data"
    owner = data.stat()
    forged = data / "postmaster.pid"
    forged.write_text(f"{pid}\n{data}\n1700000000\n5432\n{data}\n\n  5432001         7\nready   \n")
    os.chown(forged, owner.st_uid, owner.st_gid)


def test_a_pid_file_that_names_a_dead_process_is_healed(server, data_dir):
    server.ensure_running()
    server.stop()
    with subprocess.Popen(["true"]) as gone:
        pass
    forge_pid_file(data_dir, gone.pid)

    with psycopg.connect(server.ensure_running().app_dsn) as app:
        assert app.execute("SELECT 1").fetchone() == (1,)


def test_a_pid_file_whose_pid_now_belongs_to_another_program_is_healed(server, data_dir):
    server.ensure_running()
    server.stop()
    owner = (data_dir / "postgres" / "data").stat().st_uid
    stranger = subprocess.Popen(["sleep", "600"], user=owner if os.geteuid() == 0 else None)
    try:
        forge_pid_file(data_dir, stranger.pid)

        endpoint = server.ensure_running()

        with psycopg.connect(endpoint.app_dsn) as app:
            assert app.execute("SELECT 1").fetchone() == (1,)
        assert server.pid != stranger.pid
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_pid_file_that_names_the_postgres_of_another_directory_is_healed(server, data_dir, tmp_path):
    other = EmbeddedPostgres(tmp_path / "other", settings=SMALL)
    try:
        other.ensure_running()
        server.ensure_running()
        server.stop()
        assert other.pid is not None
        forge_pid_file(data_dir, other.pid)

        with psycopg.connect(server.ensure_running().app_dsn) as app:
            assert app.execute("SELECT 1").fetchone() == (1,)

        with psycopg.connect(other.endpoint().app_dsn) as app:
            assert app.execute("SELECT 1").fetchone() == (1,)
        assert other.pid != server.pid
    finally:
        other.stop()


def test_a_killed_postmaster_whose_busy_child_lives_on_is_replaced(server):
    endpoint = server.ensure_running()
    make_table(endpoint.owner_dsn)
    connection = psycopg.connect(endpoint.owner_dsn)
    backend = connection.info.backend_pid
    connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000000)")
    killed = server.pid
    os.kill(killed, signal.SIGKILL)
    assert eventually(lambda: not server.status())
    mark = server._server.mark
    assert backend in marked_processes(mark)

    after = server.ensure_running()

    assert server.pid != killed
    assert backend not in marked_processes(mark)
    assert kept_rows(after.owner_dsn) == 1000
    connection.close()


def test_a_killed_keeper_takes_the_server_with_it_and_both_come_back(server):
    endpoint = server.ensure_running()
    make_table(endpoint.owner_dsn)
    os.kill(server._server.record()["keeper"], signal.SIGKILL)
    assert eventually(lambda: not server.status())

    assert kept_rows(server.ensure_running().owner_dsn) == 1000


@pytest.mark.slow
def test_a_server_that_hangs_is_reported_while_waiting_and_can_still_be_stopped(
    server, data_dir, monkeypatch
):
    server.ensure_running()
    hung = server.pid
    said: list[str] = []
    os.kill(hung, signal.SIGSTOP)
    impatient = EmbeddedPostgres(data_dir, settings=SMALL, say=said.append)
    impatient._server.say_every_seconds = 0.3

    with pytest.raises(ServiceStillStarting, match="alive but not ready") as caught:
        impatient.ensure_running(timeout=3)

    assert caught.value.seconds >= 3
    assert "still starting" in said[0]
    impatient.stop(timeout=2)
    assert marked_processes(server._server.mark) == []
    with psycopg.connect(server.ensure_running().app_dsn) as app:
        assert app.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.slow
def test_a_stop_ends_a_start_that_is_still_waiting(server, data_dir):
    server.ensure_running()
    os.kill(server.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(server.ensure_running)
        assert eventually(lambda: is_held(data_dir / "postgres" / "start.lock"))

        server.stop(timeout=4)

        with pytest.raises(EmbeddedServiceError):
            waiting.result(timeout=30)
    assert not server.status()


def test_a_server_that_another_container_runs_is_left_alone(server, data_dir):
    server._server.leftover_seconds = 0.2
    server.ensure_running()
    server.stop()
    forge_pid_file(data_dir, 999_999)
    with FileLock(data_dir / "postgres" / "life.lock") as unseen:
        assert unseen.try_take()

        with pytest.raises(ServiceStartError, match="stop the other container"):
            server.ensure_running()

    assert (data_dir / "postgres" / "data" / "postmaster.pid").exists()
    server.ensure_running()


def test_lost_passwords_are_reported_with_the_cure(server, data_dir):
    server.ensure_running()
    server.stop()
    (data_dir / "postgres" / "credentials.json").unlink()

    with pytest.raises(ServiceStartError, match=r"credentials\.json is missing.*restore it"):
        server.ensure_running()
    draw_credentials(data_dir / "postgres" / "credentials.json")
    with pytest.raises(ServiceStartError, match=r"(?s)password.*of one backup"):
        server.ensure_running()


def test_many_first_starts_at_once_give_one_server(data_dir):
    users = [UserProcess("postgres", data_dir, []) for _ in range(5)]
    try:
        answers = [user.answer() for user in users]

        assert len({answer["pid"] for answer in answers}) == 1
        for answer in answers:
            with psycopg.connect(answer["app_dsn"]) as app:
                assert app.execute("SELECT current_user").fetchone() == ("aios_app",)
    finally:
        for user in users:
            user.process.kill()
            user.process.communicate()
    assert eventually(lambda: not Path(f"/proc/{answers[0]['pid']}").exists())


def test_a_server_whose_user_was_killed_is_adopted_or_ends(server, data_dir):
    with user_process("postgres", data_dir) as user:
        pid = user.answer()["pid"]
        user.process.kill()
        user.process.wait()

        endpoint = server.ensure_running()

        with psycopg.connect(endpoint.app_dsn) as app:
            assert app.execute("SELECT 1").fetchone() == (1,)
    mark = server._server.mark
    server.release()
    assert eventually(lambda: not marked_processes(mark))
    assert not Path(f"/proc/{pid}").exists()


def test_a_first_start_killed_at_any_moment_leaves_nothing_that_hinders_the_next(data_dir):
    for milliseconds in (50, 150, 300, 450, 600, 800):
        user = UserProcess("postgres", data_dir, [])
        try:
            user.process.wait(milliseconds / 1000)
        except subprocess.TimeoutExpired:
            user.process.kill()
            user.process.communicate()
    server = EmbeddedPostgres(data_dir, settings=SMALL)
    try:
        with psycopg.connect(server.ensure_running().app_dsn) as app:
            assert app.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.stop()
