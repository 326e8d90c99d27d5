"""Tells orchestrators and operators whether the product lives and is ready, and Prometheus how it fares."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Literal

import msgspec
from litestar import Response, Router, get

from domain.kernel.errors import AiosError, Unavailable
from interfaces.http.request import ApiRequest
from interfaces.http.routing import OPEN, failures
from interfaces.http.services import Probe

PROBE_TIMEOUT_S: Final = 2.0
PUBLIC: Final = {"public": True}


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["alive"]
    version: str


class Component(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing the product needs, and how it answered just now."""

    status: Literal["ok", "failing"]
    ms: float
    detail: str | None = None


class Readiness(msgspec.Struct, frozen=True):
    """Every component answers."""

    status: Literal["ready"]
    version: str
    components: dict[str, Component]


class NotReady(Unavailable):
    """At least one component fails; the problem document lists them all."""

    def __init__(self, components: dict[str, Component]) -> None:
        failing = [name for name, found in components.items() if found.status == "failing"]
        reasons = "; ".join(f"{name}: {components[name].detail}" for name in failing)
        super().__init__(failing[0], f"not ready, failing: {reasons}", retry_after_s=2)
        self.components = components


@get("/health/live", opt=PUBLIC, security=OPEN, summary="Is the process alive?", operation_id="isAlive")
async def live(request: ApiRequest) -> Alive:
    """Answer as long as the process runs; touches nothing else."""
    return Alive("alive", request.services.version)


@get(
    "/health/ready",
    opt=PUBLIC,
    security=OPEN,
    responses=failures(503),
    summary="Do all components answer?",
    operation_id="isReady",
)
async def ready(request: ApiRequest) -> Readiness:
    """Probe every component at once, each for at most two seconds; 503 names those that fail."""
    probes = request.services.probes
    found = await asyncio.gather(*(probe(check) for check in probes.values()))
    components = dict(zip(probes, found, strict=True))
    if any(component.status == "failing" for component in found):
        raise NotReady(components)
    return Readiness("ready", request.services.version, components)


async def probe(check: Probe) -> Component:
    """Run one probe and time it; whatever it raises is a failing component."""
    started = time.perf_counter()
    detail: str | None
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            status, detail = "ok", await check()
    except TimeoutError:
        status, detail = "failing", f"no answer within {PROBE_TIMEOUT_S:.0f} s"
    except AiosError as error:
        status, detail = "failing", error.message
    except Exception as error:  # noqa: BLE001  # a probe may fail in any way; its text may hold a password
        status, detail = "failing", type(error).__name__
    ms = round((time.perf_counter() - started) * 1000, 1)
    return Component("ok" if status == "ok" else "failing", ms, detail)


@get(
    "/metrics",
    opt=PUBLIC,
    security=OPEN,
    media_type="text/plain",
    summary="Metrics of all processes in Prometheus' text format",
    operation_id="getMetrics",
)
async def metrics(request: ApiRequest) -> Response[bytes]:
    """Render the metrics of every process of the product."""
    text, media_type = request.services.render_metrics()
    return Response(text, media_type=media_type.removesuffix("; charset=utf-8"))  # Litestar adds it again


router = Router("/", route_handlers=[live, ready, metrics], tags=["operations"])
