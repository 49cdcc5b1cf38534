"""Traces to an OpenTelemetry collector: OTLP over HTTP, in batches, from a bounded queue, never in a request's way.

When the collector is slow or gone, spans are dropped and counted; requests do not notice. Without an endpoint there is
no tracer at all: nothing is made, imported or sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from gateway.telemetry.trace import Kind, Parent, Span, Trace, Value, parent_of
from kakehashi import __version__
from kakehashi.errors import ConfigError

_LOG = logging.getLogger("gateway.traces")
QUEUE = 2048  # traces; at about 4 kB each what an hour of a silent collector may cost
BATCH = 256
DELAY_S = 2.0
SEND_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 3.0
_TELL_EVERY_S = 60.0
_RETRYABLE = (429, 502, 503, 504)  # opentelemetry.io/docs/specs/otlp/#retryable-response-codes
_KINDS: Mapping[Kind, int] = {"internal": 1, "server": 2, "client": 3}
_ERROR = 2


@dataclass
class Counts:
    """Spans sent, and lost because the queue was full or the collector did not take them."""

    sent: int = 0
    dropped: int = 0
    failed: int = 0


class Tracer:
    """Begins traces and sends those that are over. Open it inside the running event loop, close it at the end.

    ``endpoint``: the collector's base URL (``/v1/traces`` is added) or the full one. ``ratio``: of the traces that begin
    here, the share that is kept; a caller's decision (``traceparent``) counts more. ``content``: whether spans may carry
    prompts and answers.
    """

    def __init__(
        self, endpoint: str, *, headers: Mapping[str, str] | None = None, ratio: float = 1.0, content: bool = False
    ) -> None:
        self.url = traces_url(endpoint)
        self.content, self.counts = content, Counts()
        self._headers = {**(headers or {}), "content-type": "application/x-protobuf", "user-agent": "kakehashi"}
        self._ratio = ratio
        self._queue: deque[Trace] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._told = 0.0

    def begin(self, name: str, traceparent: str) -> Trace:
        """A request's trace, as part of the caller's where it names one."""
        parent = parent_of(traceparent)
        return Trace(name, parent, sampled=self._keeps(parent))

    def _keeps(self, parent: Parent | None) -> bool:
        return parent.sampled if parent else self._ratio >= 1 or random.random() < self._ratio  # noqa: S311 - a sample

    def ended(self, trace: Trace) -> None:
        """Queue a trace that is over; drop it when the queue is full. Never blocks, never raises."""
        trace.end()
        if not trace.sampled:
            return
        if len(self._queue) >= QUEUE:
            self.counts.dropped += len(trace.spans)
            return
        self._queue.append(trace)
        if len(self._queue) >= BATCH:
            self._wake.set()

    # -- sending ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        timeout = aiohttp.ClientTimeout(total=SEND_TIMEOUT_S)
        self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers, trust_env=False)
        self._task = asyncio.create_task(self._run(), name="traces")

    async def close(self) -> None:
        """Send what is queued, as far as that goes in a few seconds."""
        if self._task is None or self._session is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._send_all(self._session)
        await self._session.close()

    async def _run(self) -> None:
        while self._session is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DELAY_S):
                    await self._wake.wait()
            self._wake.clear()
            await self._send_all(self._session)

    async def _send_all(self, session: aiohttp.ClientSession) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            spans = sum(len(trace.spans) for trace in batch)
            try:
                problem = await self._send(session, await asyncio.to_thread(encode, batch))
            except asyncio.CancelledError:
                self.counts.failed += spans
                raise
            if problem:
                self.counts.failed += spans
                self._tell(problem)
            else:
                self.counts.sent += spans

    async def _send(self, session: aiohttp.ClientSession, body: bytes) -> str:
        """Empty when the collector took it, else why not; tried twice where that may help."""
        problem = ""
        for pause_s in (0.5, 0.0):
            try:
                async with session.post(self.url, data=body, allow_redirects=False) as answer:
                    if answer.status < 300:
                        return ""
                    problem = f"answers {answer.status}"
                    if answer.status not in _RETRYABLE:
                        return problem
            except (aiohttp.ClientError, TimeoutError) as error:
                problem = type(error).__name__
            await asyncio.sleep(pause_s)
        return problem

    def _tell(self, problem: str) -> None:
        now = asyncio.get_running_loop().time()
        if not self._told or now - self._told > _TELL_EVERY_S:
            self._told = now
            host = urlsplit(self.url).netloc
            _LOG.warning("The trace collector %s %s; %d spans are lost so far.", host, problem, self.counts.failed)


def traces_url(endpoint: str) -> str:
    """Where traces are posted. Raises ConfigError."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ConfigError(
            "gateway.otlp_endpoint must be an http(s) URL such as http://collector:4318, without user or query.",
            hint="Give a collector's key in gateway.otlp_headers_file.",
        )
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}" + ("" if path.endswith("/v1/traces") else "/v1/traces")


def encode(traces: Iterable[Trace]) -> bytes:
    """The protobuf body of one export."""
    # Here, so that a gateway without traces does not pay for these imports.
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1 import trace_pb2

    def value_of(value: Value) -> AnyValue:
        if isinstance(value, bool):
            return AnyValue(bool_value=value)
        if isinstance(value, int):
            return AnyValue(int_value=value)
        if isinstance(value, float):
            return AnyValue(double_value=value)
        if isinstance(value, str):
            return AnyValue(string_value=value)
        return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=item) for item in value]))

    def pairs(attributes: Mapping[str, Value]) -> list[KeyValue]:
        return [KeyValue(key=name, value=value_of(value)) for name, value in attributes.items()]

    def one(trace: Trace, span: Span) -> trace_pb2.Span:
        attributes = {**span.attributes, "error.type": span.error} if span.error else span.attributes
        return trace_pb2.Span(
            trace_id=bytes.fromhex(trace.trace_id),
            span_id=bytes.fromhex(span.span_id),
            parent_span_id=bytes.fromhex(span.parent_id),
            name=span.name,
            kind=trace_pb2.Span.SpanKind.ValueType(_KINDS[span.kind]),
            start_time_unix_nano=span.start_ns,
            end_time_unix_nano=span.end_ns,
            attributes=pairs(attributes),
            status=trace_pb2.Status(code=trace_pb2.Status.StatusCode.ValueType(_ERROR)) if span.error else None,
        )

    resource = Resource(attributes=pairs({"service.name": "kakehashi-gateway", "service.version": __version__}))
    scope = trace_pb2.ScopeSpans(
        scope=InstrumentationScope(name="kakehashi.gateway", version=__version__),
        spans=[one(trace, span) for trace in traces for span in trace.spans],
    )
    spans = trace_pb2.ResourceSpans(resource=resource, scope_spans=[scope])
    body: bytes = ExportTraceServiceRequest(resource_spans=[spans]).SerializeToString()
    return body
