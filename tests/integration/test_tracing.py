"""Tracing: Celery's instrumentation of OpenTelemetry and of Sentry traces calls through us."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.servers import Broker, wait_until
from tests.servers.process import ROOT

pytestmark = pytest.mark.usefixtures("worker")

Call = Callable[[Any], Any]

#: The ways to call, each giving the header that its message had.
WAYS: dict[str, Call] = {
    "blocking": lambda header: header("traceparent"),
    "delay": lambda header: header.delay("traceparent").get(timeout=30),
    "aio": lambda header: asyncio.run(header.aio("traceparent")),
    "batch": lambda header: header.batch([("traceparent",)])[0].get(timeout=30),
    "canvas": lambda header: header.s("traceparent").delay().get(timeout=30),
}


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    made = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(made))
    instrumentor = CeleryInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    trace.set_tracer_provider(provider)
    yield made
    instrumentor.uninstrument()
    provider.shutdown()


@pytest.mark.parametrize("way", WAYS)
def test_opentelemetry_sees_a_span_and_the_worker_gets_its_context(
    client: Any, exporter: InMemorySpanExporter, way: str
) -> None:
    exporter.clear()
    with trace.get_tracer(__name__).start_as_current_span("caller") as caller:
        received = WAYS[way](client.calc.header)
    spans: dict[str, ReadableSpan] = {}

    def ended() -> bool:  # it may end just after the reply has come
        spans.update({span.name: span for span in exporter.get_finished_spans()})
        return "apply_async/calc.header" in spans

    wait_until(ended, what="the span of the call")
    sent = spans["apply_async/calc.header"]
    assert sent.parent is not None
    assert sent.parent.span_id == caller.get_span_context().span_id
    found = re.fullmatch(r"00-(\w{32})-(\w{16})-0[0-9a-f]", received)
    assert found is not None, received
    assert int(found[1], 16) == sent.context.trace_id
    assert int(found[2], 16) == sent.context.span_id


SENTRY = """
import asyncio, sys
import sentry_sdk
from sentry_sdk.integrations.celery import CeleryIntegration

sentry_sdk.init(
    dsn="http://public@127.0.0.1:1/1", traces_sample_rate=1.0, integrations=[CeleryIntegration()],
    default_integrations=False, transport=lambda event: None,
)
from celery_rpc import connect
with connect(sys.argv[1]) as client:
    header = client.calc.header
    ways = {
        "blocking": lambda: header("sentry-trace"),
        "delay": lambda: header.delay("sentry-trace").get(timeout=30),
        "aio": lambda: asyncio.run(header.aio("sentry-trace")),
        "batch": lambda: header.batch([("sentry-trace",)])[0].get(timeout=30),
        "canvas": lambda: header.s("sentry-trace").delay().get(timeout=30),
    }
    for name, way in ways.items():
        with sentry_sdk.start_transaction(name="caller") as transaction:
            received = way()
        print(name, (received or "").split("-")[0] == transaction.trace_id)
"""


def test_sentry_reaches_the_worker_by_every_way(broker: Broker) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SENTRY, broker.client_url],
        capture_output=True,
        text=True,
        timeout=150,
        cwd=ROOT,
    )
    assert done.stdout.splitlines() == [f"{way} True" for way in WAYS], done.stderr
