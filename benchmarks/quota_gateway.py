"""What a hard cap costs the whole gateway, over HTTP: CPU time a request, with and without, in turns.

The same connections ask in two workspaces of one running product, one of them under a hard cap in tokens and
money: half a second here, half a second there, so that both meet the same neighbours on a shared machine.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

import uvloop

from benchmarks.gateway_load import Asking, request
from benchmarks.gateway_processes import (
    ADMIN_KEY,
    exact_cpu_seconds,
    govern,
    manage,
    port_of,
    process,
    product,
)

CONNECTIONS, PAIRS = 64, 60
WARM_S, SETTLE_S, WINDOW_S = 2.0, 0.2, 0.5
PLENTY = 10**15
FREE, CAPPED = "free", "capped"


class Load:
    """Connections that are always asking; `cpu_us` measures what one workspace's requests cost."""

    def __init__(self, port: int, pid: int) -> None:
        self._port = port
        self._pid = pid
        self._times: list[float] = []
        self._made: list[Asking] = []

    async def start(self) -> None:
        """Connect, and let the product warm up."""
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            _, asking = await loop.create_connection(
                lambda: Asking(ask(FREE), self._times), "127.0.0.1", self._port
            )
            self._made.append(asking)
        for workspace in (FREE, CAPPED):
            self._turn_to(workspace)
            await asyncio.sleep(WARM_S)

    async def cpu_us(self, workspace: str) -> float:
        """Return microseconds a request; what was under way before is left out."""
        self._turn_to(workspace)
        await asyncio.sleep(SETTLE_S)
        began, before = exact_cpu_seconds(self._pid), len(self._times)
        await asyncio.sleep(WINDOW_S)
        return (exact_cpu_seconds(self._pid) - began) * 1e6 / (len(self._times) - before)

    async def stop(self) -> None:
        """End. Raises RuntimeError when an answer was an error."""
        for each in self._made:
            each.stopping = True
        await asyncio.wait([each.done for each in self._made], timeout=30)
        if wrong := sum(each.wrong for each in self._made):
            raise RuntimeError(f"{wrong} requests were answered with an error")

    def _turn_to(self, workspace: str) -> None:
        for each in self._made:
            each.ask = ask(workspace)


def ask(workspace: str) -> bytes:
    """Return a request in a workspace."""
    return request(ADMIN_KEY, stream=False, headers=f"x-aios-workspace: {workspace}\r\n")


async def measured(port: int, pid: int) -> list[tuple[float, float]]:
    """Return pairs of microseconds a request: without a cap, and with."""
    load = Load(port, pid)
    await load.start()
    pairs = []
    for number in range(PAIRS):
        order = (FREE, CAPPED) if number % 2 else (CAPPED, FREE)
        found = {workspace: await load.cpu_us(workspace) for workspace in order}
        pairs.append((found[FREE], found[CAPPED]))
    await load.stop()
    return pairs


def whole_gateway() -> None:
    """Print the median of the paired differences."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        process(sys.executable, "-m", "benchmarks.upstream") as upstream,
        product(Path(folder)) as (port, api),
    ):
        govern(port, port_of(upstream), FREE, CAPPED)
        limits = {"monthly_token_limit": PLENTY, "monthly_cost_limit_usd": 10**6, "hard_cap_enabled": True}
        manage(port, "/usage/quota", {"scope": "workspace", "id": CAPPED, **limits}, "PUT")
        pairs = uvloop.run(measured(port, api.pid))
    free, capped = (statistics.median(side) for side in zip(*pairs, strict=True))
    added = sorted(ours - without for without, ours in pairs)
    print(f"\nwhole gateway, JSON, {CONNECTIONS} connections, {PAIRS} pairs in turn (us CPU a request)")
    print(f"without a cap {free:.0f}, with two caps {capped:.0f}; added {statistics.median(added):+.0f}")
    print(f"half of the pairs between {added[PAIRS // 4]:+.0f} and {added[-PAIRS // 4]:+.0f}")
