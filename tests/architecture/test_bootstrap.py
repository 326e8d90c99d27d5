"""The set-up finds a Python or says what is missing, and tells uv what pip is configured for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from deploy.pip_settings import uv_environment
from tests.architecture.sources import ROOT


def test_pip_settings_become_uv_settings(tmp_path: Path) -> None:
    listed = "\n".join(
        [
            "global.index-url='https://one.example/simple'",
            "global.cert='/etc/ca.pem'",
            "install.index-url='https://two.example/simple'",
            f":env:.find-links='{tmp_path} /nowhere/at/all https://files.example/'",
            ":env:.extra-index-url='https://three.example/a\\nhttps://four.example/b'",
        ]
    )
    told = uv_environment(listed, {"HOME": str(tmp_path), "PATH": "kept"})
    assert told["PATH"] == "kept"
    assert told["UV_DEFAULT_INDEX"] == "https://two.example/simple"
    assert told["UV_INDEX"] == "https://three.example/a https://four.example/b"
    assert told["UV_FIND_LINKS"] == f"{tmp_path},https://files.example/"
    assert told["SSL_CERT_FILE"] == "/etc/ca.pem"


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_what_is_set_for_uv_wins(tmp_path: Path, variable: str) -> None:
    own = {"HOME": str(tmp_path), variable: "https://uv.example/simple"}
    told = uv_environment("global.index-url='https://pip.example/simple'", own)
    assert "pip.example" not in " ".join(told.values())
    assert told[variable] == "https://uv.example/simple"


def test_a_configuration_file_of_uv_keeps_its_index_and_gains_the_certificate(tmp_path: Path) -> None:
    (tmp_path / ".config" / "uv").mkdir(parents=True)
    (tmp_path / ".config" / "uv" / "uv.toml").touch()
    listed = "global.index-url='https://pip.example/simple'\nglobal.cert='/etc/ca.pem'"
    told = uv_environment(listed, {"HOME": str(tmp_path)})
    assert "UV_DEFAULT_INDEX" not in told
    assert told["SSL_CERT_FILE"] == "/etc/ca.pem"


def bootstrap_with(tmp_path: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of bootstrap.sh where the only `python3` is this shell script."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for tool in ("dirname", "tail"):
        (programs / tool).symlink_to(f"/usr/bin/{tool}")
    (programs / "python3").write_text(f"#!/bin/sh\n{python}\n")
    (programs / "python3").chmod(0o755)
    (tmp_path / "deploy").mkdir()
    script = tmp_path / "deploy" / "bootstrap.sh"
    script.write_text((ROOT / "deploy" / "bootstrap.sh").read_text())
    environment = {"PATH": str(programs), "HOME": os.environ.get("HOME", "")}
    command = ["/bin/sh", str(script), "runtime", "true"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_no_python_at_all_is_told_with_the_cure(tmp_path: Path) -> None:
    done = bootstrap_with(tmp_path, "exit 127")
    assert done.returncode == 1
    assert "needs Python 3.11, 3.12 or 3.13" in done.stderr
    assert "AIOS_PYTHON=" in done.stderr


def test_a_python_that_does_not_fit_is_named(tmp_path: Path) -> None:
    too_old = 'case "$2" in *version_info*) exit 1;; *print*) echo "/usr/bin/python3 is 3.9.2";; esac'
    done = bootstrap_with(tmp_path, too_old)
    assert done.returncode == 1
    assert "/usr/bin/python3 is 3.9.2" in done.stderr


def test_the_python_found_is_handed_the_arguments(tmp_path: Path) -> None:
    done = bootstrap_with(tmp_path, 'case "$1" in -c) exit 0;; *) echo "$@";; esac')
    assert done.stdout.split() == ["-m", "deploy.bootstrap", "runtime", "true"]
