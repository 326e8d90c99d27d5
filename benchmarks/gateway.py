"""What a request costs at the gateway beside a bare proxy of the same libraries, interleaved in one run.

    python -m benchmarks.gateway [--json] [--rounds 9] [--seconds 1] [--peers]
    python -m benchmarks.gateway --soak 600

`--peers` also installs and measures LiteLLM and Portkey, each in a temporary environment. `--soak SECONDS`
keeps 64 connections busy instead, half of them with streams, and samples the process's memory.

CPU is user and system time of the one API process (the database and the projector are others), with policy,
pricing, metering and durable events on. The upstream answers at once from memory; the load comes from another
process. On a busy machine trust CPU figures and ratios, not requests a second.

With one connection a gateway that waits for its commit sleeps between requests, and a processor that wakes up
works slowly at first, on a virtual machine most of all. What that costs shows at the second bare proxy, which
does nothing but wait as long for its upstream.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gateway_peers import Missing, litellm, portkey
from benchmarks.gateway_processes import (
    ADMIN_KEY,
    cpu_seconds,
    govern,
    port_of,
    process,
    product,
    resident_mb,
    tree_cpu_seconds,
)

CONNECTIONS = (1, 16, 64)
MODES = ("json", "stream")
TARGETS = {
    "json_cpu_ms": 2.0,
    "stream_cpu_ms": 3.0,
    "resident_mb": 150.0,
    "times_bare_proxy": 2.5,
    "share_of_litellm": 1 / 8,
}
PEER_ROUNDS = 3
SAMPLES = 10
WAIT_MS = "3"
BARE, WAITING = "bare proxy", f"bare proxy, upstream {WAIT_MS} ms"


Found = dict[tuple[str, str, int], list[dict[str, float]]]
"""What the load saw in each round, by contender, mode and connections."""


@dataclass(frozen=True)
class Contender:
    """A server under load."""

    name: str
    port: int
    pid: int
    headers: str = ""
    modes: tuple[str, ...] = MODES
    alone: bool = False  # its child processes are no part of it

    def load(self, connections: int, seconds: float, mode: str) -> dict[str, float]:
        """Load it for a while; adds the CPU milliseconds of a request to what the load saw."""
        spent = cpu_seconds if self.alone else tree_cpu_seconds
        before = spent(self.pid)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "benchmarks.gateway_load"),
                *(str(self.port), str(connections), str(seconds), ADMIN_KEY, mode, self.headers),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        seen: dict[str, float] = json.loads(done.stdout)
        if seen["wrong"]:
            raise RuntimeError(f"{self.name} answered {seen['wrong']:.0f} requests with an error")
        return {**seen, "cpu_ms": (spent(self.pid) - before) * 1000 / seen["requests"]}


def compare(contenders: list[Contender], others: list[Contender], rounds: int, seconds: float) -> Found:
    """Load every contender in turn, `rounds` times, and the others, who take longer, a few times."""
    for contender in (*contenders, *others):
        for mode in contender.modes:
            contender.load(16, 1.0, mode)
    found: Found = {}
    for number in range(rounds):
        for mode in MODES:
            for connections in CONNECTIONS:
                for contender in (*contenders, *(others if number < PEER_ROUNDS else ())):
                    if mode in contender.modes:
                        seen = contender.load(connections, seconds, mode)
                        found.setdefault((contender.name, mode, connections), []).append(seen)
    return found


def rows_of(found: Found) -> list[dict[str, Any]]:
    """Return medians by contender, mode and connections."""
    return [
        {
            "server": name,
            "mode": mode,
            "connections": connections,
            **{key: round(statistics.median(s[key] for s in seen), 3) for key in seen[0]},
        }
        for (name, mode, connections), seen in found.items()
    ]


def measure(rounds: int = 9, seconds: float = 1.0, *, peers: bool = False) -> dict[str, Any]:
    """Run everything on this machine and return rows and the figures the targets are about."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        process(sys.executable, "-m", "benchmarks.upstream") as upstream,
    ):
        address = port_of(upstream)
        with (
            product(Path(folder)) as (port, api),
            bare_proxy(address) as bare,
            process(sys.executable, "-m", "benchmarks.upstream", "--wait-ms", WAIT_MS) as waiting,
            bare_proxy(port_of(waiting)) as waiter,
        ):
            govern(port, address)
            contenders = [
                Contender(BARE, port_of(bare), bare.pid),
                Contender(WAITING, port_of(waiter), waiter.pid),
                Contender("gateway", port, api.pid, alone=True),
            ]
            idle_mb = resident_mb(api.pid)
            with peers_of(Path(folder), address, wanted=peers) as (others, missing):
                found = compare(contenders, others, rounds, seconds)
            memory = {"resident_mb": resident_mb(api.pid), "idle_mb": idle_mb}
            return {"rows": rows_of(found), **figures(found), **memory, "missing": missing}


def bare_proxy(upstream: int) -> AbstractContextManager[subprocess.Popen[str]]:
    """Run a bare proxy for a while."""
    return process(sys.executable, "-m", "benchmarks.bare_proxy", f"http://127.0.0.1:{upstream}")


@contextmanager
def peers_of(
    folder: Path, upstream: int, *, wanted: bool
) -> Iterator[tuple[list[Contender], dict[str, str]]]:
    """Run the other gateways for a while; those that cannot be are named with the reason."""
    found: list[Contender] = []
    missing: dict[str, str] = {}
    with ExitStack() as running:
        for start in (litellm, portkey) if wanted else ():
            try:
                peer = running.enter_context(start(folder, upstream))
            except (Missing, subprocess.SubprocessError) as error:
                missing[start.__name__] = str(error)
                continue
            working = []
            for mode in MODES:
                try:
                    Contender(*peer).load(1, 0.5, mode)
                    working.append(mode)
                except (RuntimeError, subprocess.SubprocessError) as error:
                    missing[f"{peer.name}, {mode}"] = str(error)
            if working:
                found.append(Contender(*peer, modes=tuple(working)))
        yield found, missing


def soak(seconds: float) -> dict[str, Any]:
    """Keep 64 connections busy and return the process's memory, sampled ten times after a warm-up."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        process(sys.executable, "-m", "benchmarks.upstream") as upstream,
    ):
        address = port_of(upstream)
        with product(Path(folder)) as (port, api):
            govern(port, address)
            gateway = Contender("gateway", port, api.pid, alone=True)
            idle, requests, samples = resident_mb(api.pid), 0.0, list[float]()
            for turn in range(SAMPLES + 1):
                with ThreadPoolExecutor(len(MODES)) as pool:
                    loads = [pool.submit(gateway.load, 32, seconds / (SAMPLES + 1), mode) for mode in MODES]
                    requests += sum(load.result()["requests"] for load in loads)
                if turn:
                    samples.append(round(resident_mb(api.pid), 1))
            half = len(samples) // 2
            growth = statistics.mean(samples[half:]) - statistics.mean(samples[:half])
            return {
                "seconds": seconds,
                "requests": round(requests),
                "idle_mb": round(idle, 1),
                "resident_mb": samples,
                "second_half_minus_first_mb": round(growth, 2),
            }


def figures(found: Found) -> dict[str, float]:
    """Return the gateway's CPU a request by mode (the dearest of all connections) and its ratios.

    A ratio is the median of those of each round, whose turns met the same neighbours on a shared machine.
    """

    def dearest(mode: str) -> float:
        costs = [seen for (name, of, _), seen in found.items() if (name, of) == ("gateway", mode)]
        return max(statistics.median(each["cpu_ms"] for each in seen) for seen in costs)

    def ratios(server: str) -> list[float]:
        return [
            statistics.median(
                ours["cpu_ms"] / theirs["cpu_ms"]
                for ours, theirs in zip(found["gateway", mode, connections], seen, strict=False)
            )
            for (name, mode, connections), seen in found.items()
            if name == server
        ]

    told = {
        "json_cpu_ms": dearest("json"),
        "stream_cpu_ms": dearest("stream"),
        "times_bare_proxy": round(max(ratios(BARE)), 2),
        "median_times_bare_proxy": round(statistics.median(ratios(BARE)), 2),
        "times_waiting_proxy": round(max(ratios(WAITING)), 2),
    }
    for peer in sorted({name for name, _, _ in found} - {"gateway", BARE, WAITING}):
        told[f"share_of_{peer}"] = round(max(ratios(peer)), 3)
    return told


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
    told = "; ".join(
        f"{name} {result[name]:.2f} (target at most {most:g})"
        for name, most in TARGETS.items()
        if name in result
    )
    lines += [
        "",
        f"Dearest of all: {told}. Median ratio {result['median_times_bare_proxy']:.2f}; "
        f"at most {result['times_waiting_proxy']:.2f} times a bare proxy that waits, too.",
    ]
    return "\n".join([*lines, *(f"Without {name}: {why}." for name, why in result["missing"].items())])


def main() -> None:
    """Print the result for people, or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--peers", action="store_true", help="install and measure other gateways, too")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="watch the memory under load instead")
    options = parser.parse_args()
    if options.soak:
        print(json.dumps(soak(options.soak)))
        return
    result = measure(options.rounds, options.seconds, peers=options.peers)
    print(json.dumps(result) if options.json else table(result))


if __name__ == "__main__":
    main()
