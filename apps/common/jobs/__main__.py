"""The worker process: ``python -m apps.common.jobs MODULE``, where MODULE has ``kind(settings)``.

It stops when its standard input closes, that is, when the page server beside it ends, however that ended.
"""

from __future__ import annotations

import fcntl
import importlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apps.common.jobs import worker
from kakehashi import paths, settings


@contextmanager
def single(folder: Path) -> Iterator[None]:
    """Wait until no other worker serves this folder: two would run one job twice."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "worker.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(module: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches us too; the page server ends us
    home = paths.home().make()
    kind: worker.Kind = importlib.import_module(module).kind(settings.load())
    with single(home.jobs / kind.app):
        worker.start(kind, home)
        sys.stdin.buffer.read()
        os._exit(0)  # stages in mid-chunk are not waited for: they are durable


if __name__ == "__main__":
    main(sys.argv[1])
