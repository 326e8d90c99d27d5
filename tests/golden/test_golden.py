"""Every event ever stored stays readable, and means what it meant."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from domain.kernel.events import Event, UnknownEvent
from domain.registry import event_registry
from infrastructure.event_store.codec import StoredRow, decode
from tests.golden.files import FOLDER, Golden, golden_of, path_of, read_all, write_missing
from tests.golden.samples import spelled_out

REGISTRY = event_registry()
FILES = read_all()


@pytest.mark.parametrize("cls", REGISTRY.types(), ids=lambda cls: cls.TYPE)
def test_every_event_type_has_its_golden_file(cls: type[Event]):
    path = path_of(cls.TYPE, cls.SCHEMA_VERSION)
    assert path.exists(), f"{path.name} is missing: run `python -m tests.golden.write` and commit it"


@pytest.mark.parametrize("cls", REGISTRY.types(), ids=lambda cls: cls.TYPE)
def test_a_type_has_a_golden_file_for_each_of_its_versions(cls: type[Event]):
    versions = {golden.schema_version for golden in FILES.values() if golden.type == cls.TYPE}
    assert versions == set(range(1, cls.SCHEMA_VERSION + 1))


@pytest.mark.parametrize("name", FILES)
def test_a_golden_file_decodes_to_what_it_always_meant(name: str):
    golden = FILES[name]
    assert name == path_of(golden.type, golden.schema_version).name
    assert golden.examples
    for example in golden.examples:
        event = stored(golden, example.data)
        problem = event.problem if isinstance(event, UnknownEvent) else ""
        assert not isinstance(event, UnknownEvent), f"{name} no longer decodes: {problem}"
        assert_holds(spelled_out(event), example.expected, name)


def test_no_golden_file_was_changed_or_removed_since_it_was_committed():
    def git(*arguments: str) -> list[str]:
        run = subprocess.run(["git", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
        return run.stdout.split()

    ever = {
        Path(name).name for name in git("log", "--diff-filter=A", "--name-only", "--format=", "--", "*.json")
    }
    assert ever <= set(FILES), f"golden files are gone: {sorted(ever - set(FILES))}"
    assert git("diff", "--diff-filter=MD", "--name-only", "HEAD", "--", "*.json") == []


def test_writing_touches_no_file_that_exists():
    before = {path: path.read_bytes() for path in FOLDER.glob("*.json")}
    written = write_missing(
        tuple(cls for cls in REGISTRY.types() if path_of(cls.TYPE, cls.SCHEMA_VERSION) in before)
    )
    assert written == []
    assert {path: path.read_bytes() for path in before} == before


class Changed(Event, frozen=True, kw_only=True):
    """An event whose default changed, to see that this would be noticed."""

    TYPE = "test.changed"
    amount: int = 1


def test_a_changed_default_would_be_noticed():
    sparse = golden_of(Changed).examples[1]
    assert sparse.expected == {"amount": 1}
    with pytest.raises(AssertionError, match="amount"):
        assert_holds({"amount": 2}, sparse.expected, "test.changed")


def stored(golden: Golden, data: dict[str, Any]) -> Event:
    """Decode data as the log does, upcasters included."""
    row = StoredRow(
        position=1,
        tenant="acme",
        stream_id="acme/x/1",
        version=1,
        type=golden.type,
        schema_version=golden.schema_version,
        recorded_at=datetime(2030, 1, 1, tzinfo=UTC),
        command_id="c",
        correlation="r",
        actor="key/a",
        data=msgspec.json.encode(data),
        key_ids=[],
    )
    event: Event = decode(row, REGISTRY, lambda _: None).event
    return event


def assert_holds(actual: Any, expected: Any, at: str) -> None:
    """Everything expected is there and equal; fields that came later may be there too."""
    if isinstance(expected, dict):
        assert isinstance(actual, dict), at
        for key, value in expected.items():
            assert key in actual, f"{at}/{key} is gone"
            assert_holds(actual[key], value, f"{at}/{key}")
    elif isinstance(expected, list):
        assert isinstance(actual, list), at
        assert len(actual) == len(expected), at
        for index, value in enumerate(expected):
            assert_holds(actual[index], value, f"{at}/{index}")
    else:
        assert actual == expected, f"{at}: {actual!r} is not {expected!r}"
