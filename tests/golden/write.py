"""Adds the golden files that are missing: `python -m tests.golden.write`; it never overwrites one."""

from __future__ import annotations

import sys

from domain.registry import event_registry
from tests.golden.files import write_missing


def main() -> None:
    """Write what is missing and say so."""
    written = write_missing(event_registry().types())
    for path in written:
        sys.stdout.write(f"wrote {path.name}: read it, then commit it\n")
    if not written:
        sys.stdout.write("every event type has its golden file; a changed event needs a new SCHEMA_VERSION\n")


if __name__ == "__main__":
    main()
