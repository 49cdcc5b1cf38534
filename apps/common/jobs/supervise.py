"""Keeps one worker process beside a page server: started with it, restarted when it dies, ended with it."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from dataclasses import dataclass, field

from kakehashi.paths import CHECKOUT

log = logging.getLogger(__name__)
RESTART_S = 1.0
RESTART_MAX_S = 30.0


@dataclass
class WorkerProcess:
    """``module`` is what the worker serves (see :mod:`apps.common.jobs.__main__`).

    Its standard input is our pipe: it closes when this process ends in any way, and the worker ends with it.
    """

    module: str
    _process: subprocess.Popen[bytes] | None = None
    _thread: threading.Thread | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._keep, name="worker-supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the worker now; its jobs go on at the next start."""
        self._stop.set()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _keep(self) -> None:
        pause = RESTART_S
        while not self._stop.is_set():
            command = [sys.executable, "-m", "apps.common.jobs", self.module]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=CHECKOUT)
            code = self._process.wait()
            if self._stop.is_set():
                return
            log.error("The job worker ended with %s; starting it again in %.0f s.", code, pause)
            self._stop.wait(pause)
            pause = min(pause * 2, RESTART_MAX_S)
