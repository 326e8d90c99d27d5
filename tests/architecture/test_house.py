"""The whole repository keeps the rules of the house."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache

import pytest

from tests.architecture import naming_rules, purity_rules, repository_rules, shape_rules
from tests.architecture.sources import (
    AROUND,
    PACKAGES,
    ROOT,
    Source,
    files_below,
    python_sources,
    tracked_files,
)

Rule = Callable[[Source], Iterator[str]]

RULES: list[tuple[Rule, tuple[str, ...]]] = [
    (shape_rules.file_length, PACKAGES + AROUND),
    (shape_rules.function_length, PACKAGES + AROUND),
    (shape_rules.module_docstring, PACKAGES + AROUND),
    (shape_rules.class_docstrings, PACKAGES),
    (purity_rules.pure_imports, ("domain",)),
    (purity_rules.no_clock_or_chance, ("domain",)),
    (purity_rules.no_patching, ("tests",)),
    (naming_rules.rooms, PACKAGES),
    (naming_rules.events_in_the_past_tense, ("domain",)),
    (naming_rules.commands_as_wishes, ("application",)),
    (naming_rules.handlers_end_in_their_table, ("application",)),
]


@cache
def sources(folders: tuple[str, ...]) -> list[Source]:
    """Parse each folder once."""
    return python_sources(ROOT, folders)


@cache
def tracked() -> list[str]:
    """Ask git once."""
    return tracked_files(ROOT)


def assert_none(violations: Iterable[str]) -> None:
    """Fail with every violation, one per line."""
    found = sorted(violations)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(("rule", "folders"), RULES, ids=lambda value: getattr(value, "__name__", ""))
def test_every_file_keeps_the_rule(rule: Rule, folders: tuple[str, ...]) -> None:
    assert_none(violation for source in sources(folders) for violation in rule(source))


def test_the_median_function_is_short() -> None:
    assert_none(shape_rules.median_function_length(sources(PACKAGES)))


def test_the_console_sources_are_short_files_too() -> None:
    files = files_below(ROOT, ("interfaces/web",), ".ts", ".tsx", ".css")
    lines = {path.relative_to(ROOT).as_posix(): path.read_text().count("\n") for path in files}
    assert lines
    assert_none(f"{path}:1: {count} lines" for path, count in lines.items() if count > shape_rules.FILE_LINES)


def test_top_level_names_are_those_of_the_house() -> None:
    assert_none(repository_rules.top_level_names(tracked()))


def test_lock_files_hold_versions_and_hashes_only() -> None:
    assert any(name.endswith("package-lock.json") for name in tracked())
    assert_none(repository_rules.locks_without_hosts(ROOT, tracked()))


def test_lock_files_meet_what_is_asked_for() -> None:
    assert_none(repository_rules.locks_are_current(ROOT))


def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    assert_none(repository_rules.no_machine_paths(ROOT, tracked()))


def test_nothing_big_is_committed() -> None:
    assert_none(repository_rules.no_big_files(ROOT, tracked()))
