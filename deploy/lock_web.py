"""Rewrites the console's package-lock.json from its package.json: versions and integrity hashes, no URL."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from infrastructure.web_build import NPM, WEB, run_node

LOCK = "package-lock.json"
DROPPED = ("resolved", "funding")


def main() -> None:
    """Resolve in a clean folder: beside installed packages npm writes a lock file without hashes."""
    print(f"==> {LOCK}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("package.json", LOCK):
            if (WEB / name).exists():
                shutil.copy(WEB / name, folder)
        options = ["--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved"]
        run_node([str(NPM), "install", *options, "--no-audit", "--no-fund"], folder, "npm could not resolve")
        lock = json.loads((folder / LOCK).read_text())
    for package in lock["packages"].values():
        for field in DROPPED:
            package.pop(field, None)
    (WEB / LOCK).write_text(json.dumps(lock, indent=2) + "\n")


if __name__ == "__main__":
    main()
