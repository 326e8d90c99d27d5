"""The shared test servers themselves: one server, a fresh database each."""

from pathlib import Path

import psycopg
import pytest
import redis

from tests.services import (
    ensure_template,
    fresh_database,
    running_postgres,
    running_valkey,
    session_directory,
)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory):
    with running_postgres(session_directory(tmp_path_factory)) as found:
        yield found


def test_a_fresh_database_is_a_copy_of_its_template_and_of_nothing_else(endpoint):
    calls = []

    def fill(template):
        calls.append(template)
        with psycopg.connect(template.owner_dsn) as connection:
            connection.execute("CREATE TABLE thing (id int)")

    ensure_template(endpoint, "with_thing", fill)
    ensure_template(endpoint, "with_thing", fill)
    one = fresh_database(endpoint, "fresh_one", "with_thing")
    two = fresh_database(endpoint, "fresh_two", "with_thing")

    with psycopg.connect(one.owner_dsn) as connection:
        connection.execute("INSERT INTO thing VALUES (1)")
    with psycopg.connect(two.owner_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM thing").fetchone() == (0,)
    assert len(calls) == 1


def test_a_fresh_database_lets_in_the_same_roles_as_the_product_database(endpoint):
    fresh = fresh_database(endpoint, "fresh_roles")

    with psycopg.connect(fresh.app_dsn) as connection:
        assert connection.execute("SELECT current_user, current_database()").fetchone() == (
            "aios_app",
            "fresh_roles",
        )
    with psycopg.connect(fresh.keyring_dsn) as connection:
        assert connection.info.dbname == "fresh_roles_keyring"
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(fresh.app_dsn.replace("/fresh_roles?", "/fresh_roles_keyring?"))


def test_the_valkey_of_the_session_is_shared_too(tmp_path_factory):
    directory = session_directory(tmp_path_factory)
    with running_valkey(directory) as one, running_valkey(directory) as two:
        assert one == two
        with redis.Redis.from_url(two.url) as client:
            assert client.ping()


def test_asking_twice_gives_the_same_server(endpoint, tmp_path_factory):
    with running_postgres(session_directory(tmp_path_factory)) as again:
        assert again == endpoint
    assert Path(session_directory(tmp_path_factory)).stat().st_mode & 0o777 == 0o700
