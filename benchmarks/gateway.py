"""What a request costs at the gateway beside a bare proxy of the same libraries, interleaved in one run.

    python -m benchmarks.gateway [--json] [--rounds 3] [--seconds 2]

CPU is user and system time of the one API process (the database and the projector are others), with policy,
pricing, metering and durable events on. The upstream answers at once from memory; the load comes from another
process. On a busy machine trust CPU figures and ratios, not requests a second.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gateway_processes import (
    ADMIN_KEY,
    cpu_seconds,
    govern,
    port_of,
    process,
    product,
    resident_mb,
)

CONNECTIONS = (1, 16, 64)
MODES = ("json", "stream")
TARGETS = {"json_cpu_ms": 2.0, "stream_cpu_ms": 3.0, "resident_mb": 150.0, "times_bare_proxy": 2.5}


@dataclass(frozen=True)
class Contender:
    """A server under load."""

    name: str
    port: int
    pid: int

    def load(self, connections: int, seconds: float, mode: str) -> dict[str, float]:
        """Load it for a while; adds the CPU milliseconds of a request to what the load saw."""
        before = cpu_seconds(self.pid)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "benchmarks.gateway_load"),
                *(str(self.port), str(connections), str(seconds), ADMIN_KEY, mode),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        seen: dict[str, float] = json.loads(done.stdout)
        if seen["wrong"]:
            raise RuntimeError(f"{self.name} answered {seen['wrong']:.0f} requests with an error")
        return {**seen, "cpu_ms": (cpu_seconds(self.pid) - before) * 1000 / seen["requests"]}


def compare(contenders: list[Contender], rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Load every contender in turn, `rounds` times; medians by contender, mode and connections."""
    for contender in contenders:
        for mode in MODES:
            contender.load(16, 1.0, mode)
    found: dict[tuple[str, str, int], list[dict[str, float]]] = {}
    for _ in range(rounds):
        for mode in MODES:
            for connections in CONNECTIONS:
                for contender in contenders:
                    seen = contender.load(connections, seconds, mode)
                    found.setdefault((contender.name, mode, connections), []).append(seen)
    return [
        {
            "server": name,
            "mode": mode,
            "connections": connections,
            **{key: round(statistics.median(s[key] for s in seen), 3) for key in seen[0]},
        }
        for (name, mode, connections), seen in found.items()
    ]


def measure(rounds: int = 3, seconds: float = 2.0) -> dict[str, Any]:
    """Run everything on this machine and return rows and the figures the targets are about."""
    with (
        tempfile.TemporaryDirectory() as folder,
        process(sys.executable, "-m", "benchmarks.upstream") as upstream,
    ):
        address = port_of(upstream)
        with (
            product(Path(folder)) as (port, api),
            process(sys.executable, "-m", "benchmarks.bare_proxy", f"http://127.0.0.1:{address}") as bare,
        ):
            govern(port, address)
            contenders = [
                Contender("bare proxy", port_of(bare), bare.pid),
                Contender("gateway", port, api.pid),
            ]
            idle_mb = resident_mb(api.pid)
            rows = compare(contenders, rounds, seconds)
            return {"rows": rows, **figures(rows), "resident_mb": resident_mb(api.pid), "idle_mb": idle_mb}


def figures(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return the gateway's CPU a request by mode (the dearest of all connections) and its ratios."""

    def costs(server: str, mode: str) -> list[float]:
        return [row["cpu_ms"] for row in rows if (row["server"], row["mode"]) == (server, mode)]

    ratios = [
        ours / theirs
        for mode in MODES
        for ours, theirs in zip(costs("gateway", mode), costs("bare proxy", mode), strict=True)
    ]
    return {
        "json_cpu_ms": max(costs("gateway", "json")),
        "stream_cpu_ms": max(costs("gateway", "stream")),
        "times_bare_proxy": round(max(ratios), 2),
        "median_times_bare_proxy": round(statistics.median(ratios), 2),
    }


def table(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    lines = [
        "| server | mode | connections | CPU ms/request | requests/s | p50 ms | p99 ms |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['server']} | {row['mode']} | {row['connections']} | {row['cpu_ms']:.2f} "
        f"| {row['rps']:.0f} | {row['p50_ms']:.1f} | {row['p99_ms']:.1f} |"
        for row in sorted(result["rows"], key=lambda r: (r["mode"], r["connections"], r["server"]))
    ]
    told = "; ".join(f"{name} {result[name]:.2f} (target at most {most:g})" for name, most in TARGETS.items())
    return "\n".join([*lines, "", f"Dearest of all: {told}."])


def main() -> None:
    """Print the result for people, or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    result = measure(options.rounds, options.seconds)
    print(json.dumps(result) if options.json else table(result))


if __name__ == "__main__":
    main()
