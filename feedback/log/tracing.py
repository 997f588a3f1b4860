"""Trace context: link a request's trace through the log to the commit that lands its events.

The context travels as W3C Trace Context (`traceparent`) in the headers of a log record. Spans are exported over OTLP
where the standard variables name a collector (`OTEL_EXPORTER_OTLP_ENDPOINT`); without one nothing is recorded, and a
context that a sender brings is still handed on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from feedback.log.port import Headers

TRACEPARENT = "traceparent"
MAX_LINKS = 128
"""Traces that one commit's span is linked to; OpenTelemetry's own default limit."""

COLLECTOR_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_PROPAGATOR = TraceContextTextMapPropagator()
_TRACER = trace.get_tracer("heed")


def set_up_tracing(service: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Export spans to the collector that the environment names; returns whether it names one."""
    if not any(environment.get(name) for name in COLLECTOR_VARIABLES):
        return False
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": environment.get("OTEL_SERVICE_NAME", service)}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return True


@contextmanager
def receiving(request_headers: Mapping[str, str]) -> Iterator[Headers]:
    """A span around one request; yields the headers that its log records carry."""
    sent = request_headers.get(TRACEPARENT)
    parent = _PROPAGATOR.extract({TRACEPARENT: sent}) if sent else None
    with _TRACER.start_as_current_span("receive feedback", context=parent, kind=trace.SpanKind.SERVER):
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        yield tuple((name, value.encode()) for name, value in carrier.items() if name == TRACEPARENT)


def traces_of(headers: Iterable[Headers]) -> tuple[str, ...]:
    """The distinct trace contexts of log records, at most `MAX_LINKS`."""
    found = {value: None for each in headers for name, value in each if name == TRACEPARENT}
    return tuple(value.decode("ascii", "replace") for value in list(found)[:MAX_LINKS])


@contextmanager
def landing(traces: Iterable[str], attributes: Mapping[str, str | int]) -> Iterator[None]:
    """A span around one commit, linked to the traces that brought its events."""
    contexts = (trace.get_current_span(_PROPAGATOR.extract({TRACEPARENT: sent})).get_span_context() for sent in traces)
    links = [trace.Link(context) for context in contexts if context.is_valid]
    with _TRACER.start_as_current_span(
        "land batch", kind=trace.SpanKind.CONSUMER, links=links, attributes=dict(attributes)
    ):
        yield
