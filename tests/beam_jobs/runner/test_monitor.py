"""What landing tells: figures, lag, log lines, and the trace that goes from the request to the commit."""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime

import numpy as np
import prometheus_client as prometheus
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from beam_jobs.landing import drain
from beam_jobs.runner.monitor import BulkHistogram, tell_lag
from feedback.intake import open_intake
from feedback.log.port import NewRecord
from feedback.log.tracing import receiving, traces_of
from feedback.process.logs import set_up_logs
from feedback.settings.home import Settings

SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CLICK = {"kind": "click", "id": "1", "user_id": "anna", "item_id": "x"}


def figure(name: str, **labels: str) -> float:
    return prometheus.REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture(scope="module")
def spans() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.mark.beam
def test_a_drain_counts_what_became_of_events(settings: Settings) -> None:
    before = {code: figure("heed_landing_events_total", verdict=v, code=code)
              for v, code in (("landed", ""), ("quarantined", "undecodable"))}  # fmt: skip
    fresh = figure("heed_landing_freshness_seconds_bucket", le="+Inf")
    intake = open_intake(settings)
    redacted = figure("heed_landing_findings_total", stage="redact", what="email")
    intake.submit([{**CLICK, "id": str(n), "note": "anna@example.com"} for n in range(7)])
    intake.log.append([NewRecord(0, b"poison", 1)], now=datetime.now(UTC))

    drain(settings)

    assert figure("heed_landing_events_total", verdict="landed", code="") - before[""] == 7
    poison = figure("heed_landing_events_total", verdict="quarantined", code="undecodable")
    assert poison - before["undecodable"] == 1
    assert figure("heed_landing_freshness_seconds_bucket", le="+Inf") - fresh == 7
    assert figure("heed_landing_findings_total", stage="redact", what="email") - redacted == 7


@pytest.mark.beam
def test_a_sender_s_trace_is_linked_to_the_commit_that_landed_its_event(
    settings: Settings, spans: InMemorySpanExporter
) -> None:
    intake = open_intake(settings)
    with receiving({"traceparent": SENT}) as headers:
        intake.submit([CLICK], headers=headers)

    drain(settings)

    by_name: dict[str, ReadableSpan] = {span.name: span for span in spans.get_finished_spans()}
    request, commit = by_name["receive feedback"], by_name["land batch"]
    assert request.context is not None
    assert f"{request.context.trace_id:032x}" == SENT.split("-")[1]
    assert [link.context.span_id for link in commit.links] == [request.context.span_id]
    assert any(str(name).startswith("heed.position.") for name in commit.attributes or {})


def test_a_trace_without_a_sender_context_or_with_a_broken_one_begins_anew() -> None:
    with receiving({"traceparent": "no such thing"}) as headers:
        assert SENT.split("-")[1] not in "".join(traces_of([headers]))


def test_lag_is_that_of_this_worker_s_partitions() -> None:
    tell_lag({0: (0, 10), 1: (5, 5)}, {0: 4}, {0: 1.5})

    assert figure("heed_landing_lag_records", partition="0") == 6
    assert figure("heed_landing_lag_seconds", partition="0") == 1.5
    assert figure("heed_landing_lag_records", partition="1") == 0


def test_a_bulk_histogram_counts_as_one_that_takes_values_one_by_one() -> None:
    values = np.random.default_rng(7).exponential(1.0, 500)
    registry = prometheus.CollectorRegistry()
    plain = prometheus.Histogram("plain", "", buckets=(0.1, 1.0, 2.0), registry=registry)
    bulk = BulkHistogram("test_bulk", "", bounds=(0.1, 1.0, 2.0))

    for value in values:
        plain.observe(value)
    bulk.observe(values[:200])
    bulk.observe(values[200:])

    for bound in ("0.1", "1.0", "2.0", "+Inf"):
        name = {"1.0": "1", "2.0": "2"}.get(bound, bound)
        assert figure("test_bulk_bucket", le=name) == registry.get_sample_value("plain_bucket", {"le": bound})


def test_log_lines_are_json_objects_with_their_facts() -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    output = io.StringIO()
    try:
        set_up_logs(stream=output)
        logging.getLogger("heed.landing").info("landing", extra={"positions": {0: 3}})
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)

    line = json.loads(output.getvalue())
    assert (line["event"], line["positions"], line["level"]) == ("landing", {"0": 3}, "info")
