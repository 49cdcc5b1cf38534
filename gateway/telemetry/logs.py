"""Log lines as text or JSON, with every virtual key made unreadable at the sink, whoever wrote it there."""

from __future__ import annotations

import logging
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from gateway.identity.keys import redact
from gateway.telemetry.trace import Trace

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
CURRENT: ContextVar[tuple[str, Trace | None] | None] = ContextVar("request", default=None)  # id and trace, per request
_FIELDS = ("method", "surface", "status", "ms")  # what the request line carries beside its text


class RedactingFormatter(logging.Formatter):
    """Formats as usual (tracebacks too), then removes keys (litellm#15799, #8075)."""

    _second, _clock = 0, ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """As usual; the part up to the second is made once a second."""
        second = int(record.created)
        if second != self._second:
            self._second, self._clock = second, time.strftime(self.default_time_format, time.localtime(second))
        return f"{self._clock},{int(record.msecs):03}"

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line; the ids of the request under way are there whoever writes. Keys are removed."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": moment,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (current := CURRENT.get()) is not None:
            line["request_id"], trace = current
            if trace is not None:
                line |= {"trace_id": trace.trace_id, "span_id": trace.root.span_id}
        line |= {name: value for name in _FIELDS if (value := getattr(record, name, None)) is not None}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(orjson.dumps(line, default=str).decode())


def set_up(style: Literal["text", "json"] = "text", level: int = logging.INFO) -> None:
    """All logs of the process to standard error, redacted. Called once, by ``serve``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else RedactingFormatter(FORMAT))
    # Nobody reads caller, thread and process here; looking them up costs more than the rest of a line.
    logging._srcfile = None  # documented: docs.python.org/3/howto/logging.html#optimization
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in ("alembic", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
