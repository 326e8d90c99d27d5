"""Each rule catches a planted violation, names its place, and lets clean code pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture import naming_rules, purity_rules, repository_rules, shape_rules
from tests.architecture.sources import Source

Rule = Callable[[Source], Iterator[str]]
LONG_FUNCTION = "def long() -> None:\n" + "    print()\n" * 40
EVENT = "class {}(Event, frozen=True):\n    TYPE: ClassVar[str] = '{}'\n"

PLANTED: list[tuple[Rule, str, str, int]] = [
    (shape_rules.file_length, "domain/kernel/x.py", "x = 1\n" * 301, 300),
    (shape_rules.function_length, "domain/kernel/x.py", LONG_FUNCTION, 1),
    (shape_rules.module_docstring, "domain/kernel/x.py", "x = 1\n", 1),
    (shape_rules.class_docstrings, "domain/kernel/x.py", "'''Why.'''\nclass A:\n    pass\n", 2),
    (purity_rules.pure_imports, "domain/usage/x.py", "import json\nimport os.path\n", 2),
    (purity_rules.pure_imports, "domain/usage/x.py", "from random import choice\n", 1),
    (purity_rules.pure_imports, "domain/usage/x.py", "def f():\n    import psycopg\n", 2),
    (purity_rules.pure_imports, "domain/usage/x.py", "from eventsourcing.domain import Aggregate\n", 1),
    (purity_rules.pure_imports, "domain/kernel/aggregate.py", "import eventsourcing.application\n", 1),
    (purity_rules.no_clock_or_chance, "domain/usage/x.py", "datetime.now(UTC)\n", 1),
    (purity_rules.no_clock_or_chance, "domain/usage/x.py", "\ndatetime.datetime.utcnow()\n", 2),
    (purity_rules.no_clock_or_chance, "domain/usage/x.py", "uuid.uuid4()\n", 1),
    (purity_rules.no_clock_or_chance, "domain/usage/x.py", "with open('x') as f:\n    pass\n", 1),
    (purity_rules.no_patching, "tests/x.py", "from unittest.mock import patch\n", 1),
    (purity_rules.no_patching, "tests/x.py", "from unittest import mock\n", 1),
    (purity_rules.no_patching, "tests/x.py", "monkeypatch.setattr('domain.usage.x.y', 1)\n", 1),
    (
        purity_rules.no_patching,
        "tests/x.py",
        "from application import bus\nmonkeypatch.setattr(bus, 'f', 1)\n",
        2,
    ),
    (naming_rules.rooms, "projections/metering/tables.py", "", 1),
    (naming_rules.events_in_the_past_tense, "domain/usage/events.py", EVENT.format("Settle", "usage.x"), 1),
    (naming_rules.events_in_the_past_tense, "domain/usage/events.py", EVENT.format("Settled", "memory.x"), 1),
    (
        naming_rules.commands_as_wishes,
        "application/usage/commands.py",
        "class QuotaChanged(Command): ...\n",
        1,
    ),
    (naming_rules.commands_as_wishes, "application/usage/commands.py", "class SetCommand(Command): ...\n", 1),
    (naming_rules.handlers_end_in_their_table, "application/usage/handlers.py", "HANDLERS = {}\nx = 1\n", 2),
]

CLEAN: list[tuple[Rule, str, str]] = [
    (shape_rules.file_length, "domain/kernel/x.py", "x = 1\n" * 300),
    (shape_rules.function_length, "domain/kernel/x.py", LONG_FUNCTION.removesuffix("    print()\n")),
    (shape_rules.module_docstring, "domain/__init__.py", ""),
    (purity_rules.pure_imports, "domain/kernel/aggregate.py", "from eventsourcing.domain import Aggregate\n"),
    (
        purity_rules.pure_imports,
        "domain/usage/x.py",
        "import hashlib\nimport msgspec\nfrom domain.kernel import v\n",
    ),
    (
        purity_rules.no_clock_or_chance,
        "domain/usage/x.py",
        "def f(now: datetime) -> str: return now.isoformat()\n",
    ),
    (
        purity_rules.no_patching,
        "tests/x.py",
        "monkeypatch.setenv('A', 'b')\nmonkeypatch.setattr(sys, 'argv', [])\n",
    ),
    (naming_rules.rooms, "application/processes/erasure.py", ""),
    (naming_rules.rooms, "application/bus.py", ""),
    (
        naming_rules.events_in_the_past_tense,
        "domain/usage/events.py",
        EVENT.format("QuotaSet", "usage.quota_set"),
    ),
    (
        naming_rules.commands_as_wishes,
        "application/usage/commands.py",
        "class SetQuota(Command):\n    x: int\n",
    ),
    (naming_rules.handlers_end_in_their_table, "application/usage/handlers.py", "HANDLERS: Table = {}\n"),
]


@pytest.mark.parametrize(("rule", "path", "text", "line"), PLANTED)
def test_a_planted_violation_is_named_with_file_and_line(rule: Rule, path: str, text: str, line: int) -> None:
    (violation,) = rule(Source.of(path, text))
    assert violation.startswith(f"{path}:{line}: ")


@pytest.mark.parametrize(("rule", "path", "text"), CLEAN)
def test_clean_code_passes(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source.of(path, text))) == []


def test_long_functions_on_the_whole_are_reported_by_their_median() -> None:
    (violation,) = shape_rules.median_function_length([Source.of("domain/x.py", LONG_FUNCTION)])
    assert "41 lines" in violation


def test_a_stray_top_level_name_is_reported() -> None:
    names = ["domain/x.py", "requirements-dev.lock", ".ci/run", "src/x.py", "setup.py"]
    assert [found.partition(":")[0] for found in repository_rules.top_level_names(names)] == [
        "setup.py",
        "src",
    ]


def test_a_url_in_a_lock_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text("--index-url https://index.example/simple\na==1\n")
    (tmp_path / "package-lock.json").write_text('{\n  "resolved": "x"\n}\n')
    names = ["package-lock.json", "requirements.lock"]
    found = [v.rpartition(":")[0] for v in repository_rules.locks_without_hosts(tmp_path, names)]
    assert found == ["package-lock.json:2", "requirements.lock:1"]


def test_a_lock_file_that_is_behind_is_reported(tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("-r other.in\n# why\nFoo_Bar>=2,<3\nbaz[extra]>=2\nnew\n")
    (tmp_path / "requirements.lock").write_text(
        "baz==1.9 ; python_version < '4' \\\n    --hash=x\nfoo-bar==2.5\n"
    )
    found = list(repository_rules.locks_are_current(tmp_path))
    assert [violation.partition(": ")[0] for violation in found] == ["requirements.in:4", "requirements.in:5"]


def test_a_path_of_one_machine_is_reported(tmp_path: Path) -> None:
    folder = "/ho" + "me/somebody/project"
    (tmp_path / "x.md").write_text(f"see ~/project\nsee {folder}\nsee https://host.example/home/page/x\n")
    (violation,) = repository_rules.no_machine_paths(tmp_path, ["x.md"])
    assert violation.startswith(f"x.md:2: names {folder}")


def test_a_big_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"\0" * 400_001)
    (violation,) = repository_rules.no_big_files(tmp_path, ["model.bin"])
    assert "400001 bytes" in violation
