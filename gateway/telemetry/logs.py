"""Log lines, with every virtual key made unreadable at the sink, whoever wrote it there."""

from __future__ import annotations

import logging
import sys

from gateway.identity.keys import redact

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class RedactingFormatter(logging.Formatter):
    """Formats as usual (tracebacks too), then removes keys (litellm#15799, #8075)."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def set_up(level: int = logging.INFO) -> None:
    """All logs of the process to standard error, redacted. Called once, by ``serve``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(FORMAT))
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
