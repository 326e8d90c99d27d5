"""Metrics: names that dashboards rely on, and one view of many processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from prometheus_client import Counter
from prometheus_client.parser import text_string_to_metric_families

from infrastructure.telemetry.metrics import Metrics


def samples(text: bytes) -> dict[tuple[str, tuple], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_every_observation_has_its_metric():
    metrics = Metrics()
    metrics.observe_request("GET", "/x/{id}", 200, 0.02)
    metrics.observe_attempt("openai", "ok")
    metrics.observe_attempt("a-client-s-own", "timeout_first_byte")
    metrics.observe_append(0.003)
    metrics.observe_append_batch(40)
    metrics.set_projection_lag("usage", 12, 0.5)
    metrics.observe_job("model-health-check", "succeeded")

    text, media_type = metrics.render()

    found = samples(text)
    assert media_type.startswith("text/plain")
    assert (
        found["aios_http_requests_total", (("method", "GET"), ("route", "/x/{id}"), ("status", "200"))] == 1
    )
    assert found["aios_http_request_duration_seconds_count", (("method", "GET"), ("route", "/x/{id}"))] == 1
    assert found["aios_gateway_attempts_total", (("outcome", "ok"), ("provider", "openai"))] == 1
    assert found["aios_event_append_duration_seconds_count", ()] == 1
    assert found["aios_event_append_batch_commands_sum", ()] == 40
    assert found["aios_projection_lag_events", (("projection", "usage"),)] == 12
    assert found["aios_job_runs_total", (("job", "model-health-check"), ("outcome", "succeeded"))] == 1


def test_what_clients_name_is_never_a_label():
    metrics = Metrics()
    metrics.observe_attempt("a-client-s-own", "ok")

    assert b"a-client-s-own" not in metrics.render()[0]
    assert b'provider="custom"' in metrics.render()[0]


def test_other_code_adds_metrics_of_its_own():
    metrics = Metrics()
    Counter("aios_other", "Something else.", registry=metrics.registry).inc(3)

    assert samples(metrics.render()[0])["aios_other_total", ()] == 3


def test_processes_that_share_a_directory_are_one_to_prometheus(tmp_path: Path):
    script = dedent(
        """
        import sys
        from pathlib import Path
        from infrastructure.telemetry.metrics import Metrics, share
        share(Path(sys.argv[1]))
        metrics = Metrics()
        metrics.observe_job("job", "succeeded")
        metrics.set_projection_lag("usage", int(sys.argv[2]), 0.0)
        if sys.argv[2] == "7":
            sys.stdout.buffer.write(metrics.render()[0])
        """
    )

    def run(lag: str) -> bytes:
        command = [sys.executable, "-c", script, str(tmp_path / "metrics"), lag]
        return subprocess.run(command, check=True, capture_output=True).stdout

    run("5")
    found = samples(run("7"))

    assert found["aios_job_runs_total", (("job", "job"), ("outcome", "succeeded"))] == 2
    assert found["aios_projection_lag_events", (("projection", "usage"),)] == 7
