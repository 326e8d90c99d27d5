"""Private directories and files: who may own them, and how long a socket's path may be."""

import os
from pathlib import Path

import pytest

from infrastructure.embedded.accounts import Account, can_reach
from infrastructure.embedded.errors import PrivatePathError
from infrastructure.embedded.paths import private_directory, socket_directory, write_private
from tests.infrastructure.embedded.conftest import as_root


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_directory_is_made_private_and_an_open_one_is_narrowed(tmp_path):
    opened = tmp_path / "opened"
    opened.mkdir(mode=0o777)
    before = mode(tmp_path)

    assert mode(private_directory(tmp_path / "deep" / "made")) == 0o700
    assert mode(private_directory(opened)) == 0o700
    assert mode(tmp_path) == before


def test_a_link_or_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").write_text("")

    for name in ("link", "file"):
        with pytest.raises(PrivatePathError, match=name):
            private_directory(tmp_path / name)


@as_root
def test_a_directory_of_somebody_else_is_refused_with_the_cure(tmp_path):
    os.chown(private_directory(tmp_path / "theirs"), 12345, 12345)

    with pytest.raises(PrivatePathError, match=r"belongs to uid 12345.*AIOS_DATA_DIR"):
        private_directory(tmp_path / "theirs")


def test_a_short_path_keeps_its_sockets_and_a_long_one_gets_the_same_place_each_time(tmp_path):
    long = tmp_path / ("x" * 100)
    long.mkdir()

    assert socket_directory(Path("/run"), "s") == Path("/run")
    elsewhere = socket_directory(long, "s.sock")
    try:
        assert elsewhere == socket_directory(long, "s.sock") != long
        assert mode(elsewhere) == 0o700
        assert len(str(elsewhere / "s.sock")) < 104
    finally:
        elsewhere.rmdir()


def test_a_private_file_is_replaced_in_one_step(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("old")
    secret.chmod(0o644)

    write_private(secret, "new")

    assert (secret.read_text(), mode(secret)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [secret]


@as_root
def test_what_a_user_can_reach_depends_on_every_folder_above(tmp_path):
    program = tmp_path / "closed" / "program"
    program.parent.mkdir(mode=0o700)
    program.write_text("")
    stranger = Account(12345, 12345)

    assert can_reach(Path("/bin/sh"), stranger)
    assert not can_reach(program, stranger)
    assert can_reach(program, Account(os.geteuid(), os.getegid()))
