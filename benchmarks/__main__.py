"""`python -m benchmarks`: runs every benchmark in turn and writes `benchmarks/RESULTS.md`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

SUITES = (
    "event_store", "keyring", "gateway --peers", "quota", "usage", "simulation", "billing", "pii", "memory",
)  # fmt: skip
RESULTS = Path(__file__).with_name("RESULTS.md")


def run(suite: str) -> str:
    """Return what a benchmark prints, run in a process of its own; a failure is part of the result."""
    print(f"==> {suite}", flush=True)
    try:
        finished = subprocess.run(
            [sys.executable, "-m", *f"benchmarks.{suite}".split()],
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


def main() -> None:
    """Run all suites and write the results with what they were measured on."""
    load = os.getloadavg()[0]
    parts = [
        "# Benchmark results",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, load average {load:.1f} at the start. Contenders of one suite take "
        "turns in one run; trust ratios and medians, not single figures. Each module says what it measures.",
    ]
    for suite in SUITES:
        parts += ["", f"## {suite}", "", "```", run(suite).rstrip(), "```"]
    RESULTS.write_text("\n".join(parts) + "\n")
    print(f"written: {RESULTS.name}")


if __name__ == "__main__":
    main()
