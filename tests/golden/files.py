"""Golden files on disk: `<type>.v<version>.json`, each with examples of stored data and what it means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from domain.kernel.events import Event
from tests.golden.samples import full, sparse, spelled_out

FOLDER = Path(__file__).parent


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """Data as it was stored (personal fields in plain text), and the event it stands for, field by field.

    For an older schema version, `expected` holds what its upcasters are to make of it.
    """

    data: dict[str, Any]
    expected: dict[str, Any]


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """The examples of one event type in one schema version; never changed once committed."""

    type: str
    schema_version: int
    examples: tuple[Example, ...]


def path_of(type_name: str, version: int) -> Path:
    """Return where the golden file of a type and version stands."""
    return FOLDER / f"{type_name}.v{version}.json"


def read_all() -> dict[str, Golden]:
    """Return every golden file by its file name."""
    return {
        path.name: msgspec.json.decode(path.read_bytes(), type=Golden)
        for path in sorted(FOLDER.glob("*.json"))
    }


def golden_of(cls: type[Event]) -> Golden:
    """Return what the golden file of a class in its present version should hold."""
    whole, bare = full(cls), sparse(cls)
    required = {field.encode_name for field in msgspec.structs.fields(cls) if field.required}
    return Golden(
        type=cls.TYPE,
        schema_version=cls.SCHEMA_VERSION,
        examples=(
            Example(data=_stored(whole), expected=spelled_out(whole)),
            Example(
                data={name: value for name, value in _stored(bare).items() if name in required},
                expected=spelled_out(bare),
            ),
        ),
    )


def _stored(event: Event) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event))
    return data


def write_missing(classes: tuple[type[Event], ...]) -> list[Path]:
    """Write the files that are missing and return them; one that exists is never touched."""
    written = []
    for cls in classes:
        path = path_of(cls.TYPE, cls.SCHEMA_VERSION)
        if not path.exists():
            path.write_bytes(msgspec.json.format(msgspec.json.encode(golden_of(cls)), indent=2) + b"\n")
            written.append(path)
    return written
