"""Rules on what lies in the repository: top-level names, lock files, paths of somebody's machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP_LEVEL = re.compile(
    r"domain|application|infrastructure|projections|interfaces|tests|docs|benchmarks|deploy"
    r"|pyproject\.toml|README\.md|Makefile|requirements[\w-]*\.(in|lock|excludes)|\..+"
)
MACHINE_PATH = re.compile(
    r"(?<![\w.$}>:/*-])/(?:work|root|home/[a-z][\w-]*|Users/[\w-]+|opt/[w]heels)/[\w.-]+"
)
LOCK_FILE = re.compile(r"(^|/)(requirements.*\.lock|package-lock\.json)$")
BIGGEST = 400_000


def top_level_names(names: Iterable[str]) -> Iterator[str]:
    """At the top stand the five packages, tests, docs, benchmarks, deploy and the build's own files."""
    for top in sorted({name.partition("/")[0] for name in names}):
        if not TOP_LEVEL.fullmatch(top):
            yield f"{top}:1: is not a top-level name of this house (docs/adr/0001)"


def locks_without_hosts(root: Path, names: Iterable[str]) -> Iterator[str]:
    """A lock file holds versions and hashes; which index serves them is the machine's affair."""
    for name in names:
        if LOCK_FILE.search(name):
            for number, line in enumerate((root / name).read_text(encoding="utf-8").splitlines(), 1):
                if "://" in line or '"resolved"' in line:
                    yield f"{name}:{number}: holds a URL; write the lock files with `make lock`"


def locks_are_current(root: Path) -> Iterator[str]:
    """Each requirement of a .in file is met by the version in its lock file."""
    for asked in sorted(root.glob("requirements*.in")):
        lock = asked.with_suffix(".lock")
        pins = dict(re.findall(r"^([\w.-]+)==([^ ;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE))
        for number, line in enumerate(asked.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip() or line.startswith(("-r ", "#")):
                continue
            requirement = Requirement(line)
            pinned = pins.get(canonicalize_name(requirement.name))
            if pinned is None or not requirement.specifier.contains(pinned):
                yield f"{asked.name}:{number}: {line} is not met by {lock.name} ({pinned}); run `make lock`"


def no_machine_paths(root: Path, names: Iterable[str]) -> Iterator[str]:
    """No tracked file names a folder of the machine it was written on."""
    for name in names:
        text = (root / name).read_bytes().decode("utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if found := MACHINE_PATH.search(line):
                yield f"{name}:{number}: names {found.group()}, a path of one machine; use a relative one"


def no_big_files(root: Path, names: Iterable[str]) -> Iterator[str]:
    """Built assets, data and models are installed, not committed."""
    for name in names:
        if (size := (root / name).stat().st_size) > BIGGEST:
            yield f"{name}:1: has {size} bytes; at most {BIGGEST} in the repository"
