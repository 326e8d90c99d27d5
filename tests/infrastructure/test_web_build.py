"""The console's build: once per change of its sources, whole or not at all, with a cure when npm fails."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from infrastructure.web_build import WEB, WebBuildError, build, destination, install


@pytest.fixture(scope="module")
def packages() -> Path:
    """The console's installed packages, shared with the product's own build."""
    install(print)
    return WEB / "node_modules"


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A copy of the console's sources, without packages and builds."""
    copied = tmp_path / "web"
    shutil.copytree(WEB, copied, ignore=shutil.ignore_patterns("node_modules", "dist"))
    return copied


def test_two_builds_at_once_build_once_and_a_third_does_nothing(web: Path, packages: Path) -> None:
    (web / "node_modules").symlink_to(packages)
    said: list[str] = []
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(build(said.append, web))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [destination(web)] * 2
    assert said.count("building the console") == 1
    for name in ("index.html", "favicon.svg", "swagger-ui/swagger-ui-bundle.js", "swagger-ui/swagger-ui.css"):
        assert (found[0] / name).is_file()
    said.clear()
    assert build(said.append, web) == found[0]
    assert said == []


def test_a_change_of_a_source_moves_the_destination(web: Path) -> None:
    before = destination(web)
    (web / "src" / "theme.ts").write_text("export const theme = {};\n")
    assert destination(web) != before


def test_what_does_not_compile_leaves_nothing_and_keeps_the_older_build(web: Path, packages: Path) -> None:
    (web / "node_modules").symlink_to(packages)
    older = web / "dist" / "older"
    older.mkdir(parents=True)
    (web / "src" / "theme.ts").write_text("export const theme: number = 'text';\n")
    with pytest.raises(WebBuildError, match="does not build"):
        build(print, web)
    assert list((web / "dist").iterdir()) == [older]


def test_without_a_registry_the_error_says_what_to_look_at(
    web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(WebBuildError, match="npm config get registry"):
        build(print, web)
    assert not destination(web).exists()
