"""Runs every static check at once and prints each result in order: what `make check` and `make fmt` call."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE, STDOUT, run

ROOT = Path(__file__).resolve().parent.parent
CODE = (
    "domain",
    "application",
    "projections",
    "infrastructure",
    "interfaces",
    "tests",
    "benchmarks",
    "deploy",
)
PRESENT = [folder for folder in CODE if (ROOT / folder).exists()]
PYTHON = [sys.executable, "-m"]
CHECKS: dict[str, list[str]] = {
    "types": [*PYTHON, "mypy", *PRESENT],
    "house rules": [*PYTHON, "pytest", "-q", "-p", "no:cacheprovider", "tests/architecture"],
    "import contracts": [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
    "lint": [*PYTHON, "ruff", "check", *PRESENT],
    "format": [*PYTHON, "ruff", "format", "--check", *PRESENT],
}
FIXES: dict[str, list[str]] = {
    "lint": [*PYTHON, "ruff", "check", "--fix", *PRESENT],
    "format": [*PYTHON, "ruff", "format", *PRESENT],
}


def check(name: str, command: list[str]) -> bool:
    """Run one check, print its verdict, and its output when it failed."""
    started = time.monotonic()
    environment = {**os.environ, "FORCE_COLOR": "1"} if sys.stdout.isatty() else dict(os.environ)
    done = run(command, stdout=PIPE, stderr=STDOUT, text=True, check=False, cwd=ROOT, env=environment)
    verdict = "ok" if done.returncode == 0 else "FAILED"
    print(f"{verdict:<6} {name} ({time.monotonic() - started:.1f} s)", flush=True)
    if done.returncode:
        print(done.stdout, flush=True)
    return done.returncode == 0


def main() -> int:
    """Return 0 when every check passed; with --fix, mend what can be mended, one tool after the other."""
    mend = "--fix" in sys.argv[1:]
    chosen = FIXES if mend else CHECKS
    with ThreadPoolExecutor(max_workers=1 if mend else os.cpu_count()) as pool:
        passed = list(pool.map(check, chosen.keys(), chosen.values()))
    failed = len(passed) - sum(passed)
    print(f"{failed} of {len(passed)} failed" if failed else f"all {len(passed)} passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
