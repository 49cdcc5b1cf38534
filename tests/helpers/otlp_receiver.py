"""A trace collector: takes OTLP over HTTP on a real socket and decodes what arrives with OpenTelemetry's own schema."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = {1: "internal", 2: "server", 3: "client"}


@dataclass(frozen=True)
class Received:
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    failed: bool
    attributes: dict[str, Any]


@dataclass
class Collector:
    """``status``: what it answers; ``delay_s``: how long it takes."""

    url: str = ""
    status: int = 200
    delay_s: float = 0.0
    spans: list[Received] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    posts: int = 0

    def take(self, body: bytes, headers: dict[str, str]) -> None:
        self.headers.append(headers)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append({pair.key: _value(pair.value) for pair in resource.resource.attributes})
            self.spans += [_received(span) for scope in resource.scope_spans for span in scope.spans]

    def trace(self, arrived: Callable[[list[Received]], bool]) -> list[Received]:
        """The spans so far, once ``arrived`` says they are all there."""
        deadline = time.monotonic() + 10
        while not arrived(self.spans):
            assert time.monotonic() < deadline, f"only {[span.name for span in self.spans]}"
            time.sleep(0.02)
        return list(self.spans)


def _received(span: Any) -> Received:
    return Received(
        span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.name, KINDS[span.kind],
        span.start_time_unix_nano, span.end_time_unix_nano, span.status.code == 2,
        {pair.key: _value(pair.value) for pair in span.attributes},
    )  # fmt: skip


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(item) for item in value.array_value.values] if kind == "array_value" else getattr(value, kind)


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.posts += 1
            body = self.rfile.read(int(self.headers["content-length"]))
            time.sleep(collector.delay_s)
            if collector.status == 200 and self.path == "/v1/traces":
                collector.take(body, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(collector.status if self.path == "/v1/traces" else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
