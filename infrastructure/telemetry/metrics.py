"""The product's Prometheus metrics, shared by all its processes through one directory when given one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

DIRECTORY_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
BUILT_IN_PROVIDERS: Final = frozenset({"openai", "anthropic", "local"})
HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
APPEND_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
BATCH_BUCKETS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)


def share(directory: Path) -> None:
    """Let this process write its metrics where every process of the product reads them.

    Call it before the first `Metrics` is made; whoever starts the product empties the directory first.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ[DIRECTORY_VARIABLE] = str(directory)
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]  # untyped library


class Metrics:
    """Every metric by name, on one registry to which other code may add its own.

    No label holds a tenant, a key or anything a client chose freely: `/metrics` is open and labels are kept
    for ever.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._served: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._called: dict[tuple[str, str], Counter] = {}
        self._describe_traffic()
        self._describe_store()
        self._describe_work()

    def _describe_traffic(self) -> None:
        self._requests = Counter(
            "aios_http_requests",
            "HTTP requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "aios_http_request_duration_seconds",
            "Time from the request's head to the last byte of its answer.",
            ["method", "route"],
            buckets=HTTP_BUCKETS,
            registry=self.registry,
        )
        self._attempts = Counter(
            "aios_gateway_attempts",
            "Calls of model providers; custom providers count as 'custom'.",
            ["provider", "outcome"],
            registry=self.registry,
        )

    def _describe_store(self) -> None:
        self._append_seconds = Histogram(
            "aios_event_append_duration_seconds",
            "Time a command waits until its events are durable.",
            buckets=APPEND_BUCKETS,
            registry=self.registry,
        )
        self._append_batch = Histogram(
            "aios_event_append_batch_commands",
            "Commands that share one commit.",
            buckets=BATCH_BUCKETS,
            registry=self.registry,
        )
        self._lag_events = Gauge(
            "aios_projection_lag_events",
            "Events a read model has still to apply.",
            ["projection"],
            multiprocess_mode="mostrecent",
            registry=self.registry,
        )
        self._lag_seconds = Gauge(
            "aios_projection_lag_seconds",
            "Age of the oldest event a read model has still to apply.",
            ["projection"],
            multiprocess_mode="mostrecent",
            registry=self.registry,
        )

    def _describe_work(self) -> None:
        self._job_runs = Counter(
            "aios_job_runs", "Runs of background jobs.", ["job", "outcome"], registry=self.registry
        )
        self._recall = Gauge(
            "aios_memory_search_recall_at_10",
            "Share of the exact best ten that the vector index found, when it was measured last.",
            multiprocess_mode="mostrecent",
            registry=self.registry,
        )
        self._recall_found = Counter(
            "aios_memory_recall_found", "Best memories that the vector index found.", registry=self.registry
        )
        self._recall_expected = Counter(
            "aios_memory_recall_expected", "Best memories that it had to find.", registry=self.registry
        )

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request under its route's template, never its path."""
        key = (method, route, status)
        if (found := self._served.get(key)) is None:  # the library's own look-up costs as much as counting
            found = (
                self._requests.labels(method, route, str(status)),
                self._request_seconds.labels(method, route),
            )
            self._served[key] = found
        found[0].inc()
        found[1].observe(seconds)

    def observe_attempt(self, provider: str, outcome: str) -> None:
        """Count a provider call by the kind of its outcome (`ok`, `status`, `timeout_first_byte`, ...)."""
        known = provider if provider in BUILT_IN_PROVIDERS else "custom"
        if (found := self._called.get((known, outcome))) is None:
            found = self._called[known, outcome] = self._attempts.labels(known, outcome)
        found.inc()

    def observe_append(self, seconds: float) -> None:
        """Record how long one command waited for its commit."""
        self._append_seconds.observe(seconds)

    def observe_append_batch(self, commands: int) -> None:
        """Record how many commands one commit held."""
        self._append_batch.observe(commands)

    def set_projection_lag(self, projection: str, events: int, seconds: float) -> None:
        """Set how far a read model is behind the log."""
        self._lag_events.labels(projection).set(events)
        self._lag_seconds.labels(projection).set(seconds)

    def observe_job(self, job: str, outcome: str) -> None:
        """Count a finished run of a background job."""
        self._job_runs.labels(job, outcome).inc()

    def observe_recall(self, found: int, expected: int) -> None:
        """Record one comparison of the vector index with exact search."""
        self._recall_found.inc(found)
        self._recall_expected.inc(expected)
        if expected:
            self._recall.set(found / expected)

    def render(self) -> tuple[bytes, str]:
        """Return the text of all processes' metrics and its content type."""
        source = self.registry
        if directory := os.environ.get(DIRECTORY_VARIABLE):
            source = CollectorRegistry()
            MultiProcessCollector(source, path=directory)  # type: ignore[no-untyped-call]  # as above
        return generate_latest(source), CONTENT_TYPE_LATEST
