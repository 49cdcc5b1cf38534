"""The outermost layer: our request id on every answer, every error in one shape, one log line, the metrics.

This is the process edge of a request: the only place where any exception at all is caught, logged and answered.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.client import SURFACE, TRACE, Client
from gateway.api.ids import new_request_id
from gateway.api.spans import describe_answer
from gateway.errors import ApiError, ClientGone, shape
from gateway.identity.keys import redact
from gateway.telemetry import logs
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.otlp import Tracer
from gateway.telemetry.trace import Trace
from kakehashi.errors import UsageError

_LOG = logging.getLogger("gateway.request")
_ECHO = re.compile(r"[\x21-\x7e]{1,128}")
_MAX_HEADER_BYTES = 32 * 1024
_UNTRACED = ("health", "metrics", "other")  # asked every few seconds by machines, or by anybody who tries addresses
_CLIENT_CLOSED = 499  # in metrics and logs only: nobody is there to read it
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "request_too_large", 431: "headers_too_large"}


Shape = Callable[[int, str, str | None], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An error as it is answered."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def describe(error: Exception) -> ErrorAnswer | None:
    """The answer to an error that is raised on purpose; None for a failure of our own."""
    if isinstance(error, ApiError):
        return ErrorAnswer(error.status, error.shape(), error.headers)
    if isinstance(error, UsageError):
        return ErrorAnswer(400, shape(str(error), "invalid_request_error", error.code))
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        message = f"{where or 'body'}: {first['msg']}"
        return ErrorAnswer(422, shape(message, "invalid_request_error", "invalid_value", where))
    if isinstance(error, HTTPException):
        message = "There is no such address here." if error.status_code == 404 else str(error.detail)
        body = shape(message, "invalid_request_error", _CODES.get(error.status_code, "http_error"))
        return ErrorAnswer(error.status_code, body, error.headers or {})
    return None


def surface_of(path: str, surfaces: Mapping[str, str]) -> str:
    """The surface an address belongs to: its own, or that of the nearest address above it."""
    found = surfaces.get(path)
    if found is None:
        parts = path.split("/", 5)  # no address of ours that has some below it is deeper
        above = ("/".join(parts[:depth]) for depth in range(min(len(parts), 5), 1, -1))
        found = next((surfaces[name] for name in above if name in surfaces), "other")
    return found


class Edge:
    """ASGI middleware around everything else. ``surfaces``: path → surface name, the labels of the metrics; ``shapes``:
    path → the shape of its errors (from status, message, code), where that is not OpenAI's; ``tracer``: None without
    traces."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        surfaces: dict[str, str],
        shapes: Mapping[str, Shape] | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.app, self._metrics, self._surfaces, self._shapes = app, metrics, surfaces, shapes or {}
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await Passage(self, scope, receive, send).run()

    def surface(self, path: str) -> str:
        """The surface an address belongs to."""
        return surface_of(path, self._surfaces)

    def is_fixed(self, path: str) -> bool:
        """Whether an address has no part of the client's making. It is then known by one spelling only: a proxy in front
        that closes ``/v1/files`` must not be passed by ``/v1%2ffiles``."""
        return path in self._surfaces

    def error_body(self, path: str, answer: ErrorAnswer) -> bytes:
        shaped, error = self._shapes.get(path), answer.body["error"]
        return orjson.dumps(shaped(answer.status, error["message"], error["code"]) if shaped else answer.body)

    def begin(self, scope: Scope) -> Trace | None:
        """The request's trace, where there are traces and somebody may want this one."""
        if self._tracer is None or scope[SURFACE] in _UNTRACED:
            return None
        traceparent = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
        scope[TRACE] = trace = self._tracer.begin("request", traceparent.decode("latin-1"))
        return trace

    def ended(self, scope: Scope, passage: Passage, seconds: float) -> None:
        surface, method, status = scope[SURFACE], scope["method"], passage.status
        self._metrics.answered(surface, status, seconds)
        if self._tracer is not None and passage.trace is not None:
            describe_answer(passage.trace.root, surface, method, status, passage.request_id)
            self._tracer.ended(passage.trace)
        ms = seconds * 1000
        fields = {"method": method, "surface": surface, "status": status, "ms": round(ms, 1)}
        _LOG.info("%s %s %s %d %.1fms", passage.request_id, method, surface, status, ms, extra=fields)


class Passage:
    """One request on its way in and out."""

    def __init__(self, edge: Edge, scope: Scope, receive: Receive, send: Send) -> None:
        self._edge, self._scope, self._receive, self._send = edge, scope, receive, send
        self._started = time.perf_counter()
        self.status = 0
        self.request_id = scope["kakehashi.request_id"] = new_request_id()
        scope[SURFACE] = edge.surface(scope["path"])
        self.trace = edge.begin(scope)

    async def run(self) -> None:
        scope = self._scope
        logs.CURRENT.set((self.request_id, self.trace))
        try:
            if sum(len(name) + len(value) for name, value in scope["headers"]) > _MAX_HEADER_BYTES:
                raise HTTPException(431, "The request headers are too large.")
            if b"%" in scope.get("raw_path", b"") and self._edge.is_fixed(scope["path"]):
                raise HTTPException(404)
            await self._edge.app(scope, self._receive, self.send)
        except ClientGone:
            self.status = self.status or _CLIENT_CLOSED
        except Exception as error:  # noqa: BLE001 - the process edge of a request
            await self._failed(error)
        finally:
            self._edge.ended(scope, self, time.perf_counter() - self._started)

    async def _failed(self, error: Exception) -> None:
        answer = describe(error)
        if answer is None:
            _LOG.error("%s failed", self.request_id, exc_info=error)
            message = f"The gateway failed. Tell its operators the request id {self.request_id}."
            answer = ErrorAnswer(500, shape(message, "server_error", "internal_error"))
        if not self.status:  # else the answer has begun, and the stream's own error frame has told it
            client = Client(self._scope, self._receive, self.send)
            body = self._edge.error_body(self._scope["path"], answer)
            await client.answer(answer.status, body, answer.headers)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [pair for pair in message.get("headers", ()) if pair[0] != b"x-request-id"]
            headers.append((b"x-request-id", self.request_id.encode()))
            theirs = next((v for k, v in self._scope["headers"] if k == b"x-request-id"), b"").decode("latin-1")
            if _ECHO.fullmatch(theirs) and redact(theirs) == theirs:
                headers.append((b"x-client-request-id", theirs.encode()))
            message["headers"] = headers
        await self._send(message)
