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

from gateway.api.client import Client
from gateway.api.ids import new_request_id
from gateway.errors import ApiError, ClientGone, shape
from gateway.identity.keys import redact
from gateway.telemetry.metrics import Metrics
from kakehashi.errors import UsageError

_LOG = logging.getLogger("gateway.request")
_ECHO = re.compile(r"[\x21-\x7e]{1,128}")
_MAX_HEADER_BYTES = 32 * 1024
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


class Edge:
    """ASGI middleware around everything else. ``surfaces``: path → surface name, the labels of the metrics; ``shapes``:
    path → the shape of its errors (from status, message, code), where that is not OpenAI's."""

    def __init__(
        self, app: ASGIApp, metrics: Metrics, surfaces: dict[str, str], shapes: Mapping[str, Shape] | None = None
    ) -> None:
        self.app, self._metrics, self._surfaces, self._shapes = app, metrics, surfaces, shapes or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await Passage(self, scope, receive, send).run()

    def error_body(self, path: str, answer: ErrorAnswer) -> bytes:
        shaped, error = self._shapes.get(path), answer.body["error"]
        return orjson.dumps(shaped(answer.status, error["message"], error["code"]) if shaped else answer.body)

    def ended(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        path: str = scope["path"]
        surface = self._surfaces.get(path) or self._surfaces.get(path.rpartition("/")[0], "other")
        self._metrics.answered(surface, status, seconds)
        _LOG.info("%s %s %s %d %.1fms", request_id, scope["method"], surface, status, seconds * 1000)


class Passage:
    """One request on its way in and out."""

    def __init__(self, edge: Edge, scope: Scope, receive: Receive, send: Send) -> None:
        self._edge, self._scope, self._receive, self._send = edge, scope, receive, send
        self._started = time.perf_counter()
        self.status = 0
        self.request_id = scope["kakehashi.request_id"] = new_request_id()

    async def run(self) -> None:
        scope = self._scope
        try:
            if sum(len(name) + len(value) for name, value in scope["headers"]) > _MAX_HEADER_BYTES:
                raise HTTPException(431, "The request headers are too large.")
            await self._edge.app(scope, self._receive, self.send)
        except ClientGone:
            self.status = self.status or _CLIENT_CLOSED
        except Exception as error:  # noqa: BLE001 - the process edge of a request
            await self._failed(error)
        finally:
            self._edge.ended(scope, self.request_id, self.status, time.perf_counter() - self._started)

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
