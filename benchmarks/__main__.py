"""Runs benchmarks in turn and writes what they print to `benchmarks/RESULTS.md`.

    python -m benchmarks [SUITE ...]

Without names every suite runs; with some, the others keep the results they have.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

SUITES = {
    "event_store": [],
    "keyring": [],
    "gateway": ["--peers"],
    "quota": [],
    "usage": [],
    "simulation": [],
    "billing": [],
    "pii": [],
    "memory": [],
}
RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = """# Benchmark results

Contenders of one suite take turns in one run; trust ratios and medians, not single figures. Each module says
what it measures.
"""


def run(suite: str) -> str:
    """Return what a benchmark prints, run in a process of its own; a failure is part of the result."""
    print(f"==> {suite}", flush=True)
    try:
        finished = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{suite}", *SUITES[suite]],
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )
    except subprocess.TimeoutExpired as error:
        return f"did not finish: {error}"
    sys.stdout.write(finished.stdout)
    if finished.returncode:
        return f"did not finish:\n{finished.stderr[-2000:]}"
    return finished.stdout


def section(suite: str) -> str:
    """Run a suite and return its part of the results, with what it was measured on."""
    measured = (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, load average {os.getloadavg()[0]:.1f} at the start."
    )
    return f"{measured}\n\n```\n{run(suite).rstrip()}\n```"


def known() -> dict[str, str]:
    """Return the parts that the results hold already, by suite."""
    text = RESULTS.read_text() if RESULTS.exists() else ""
    return dict(re.findall(r"^## (\w+)\n\n(.*?)\n(?=\n## |\Z)", text, re.MULTILINE | re.DOTALL))


def main() -> None:
    """Run what is asked for and write the results after each suite."""
    asked = sys.argv[1:] or list(SUITES)
    if unknown := set(asked) - set(SUITES):
        sys.exit(f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    for suite in asked:
        parts = known() | {suite: section(suite)}
        ordered = "".join(f"\n## {name}\n\n{parts[name]}\n" for name in SUITES if name in parts)
        RESULTS.write_text(HEAD + ordered)
    print(f"written: {RESULTS.name}")


if __name__ == "__main__":
    main()
