"""Keeps the parts running: starts them, watches their health, restarts what crashes, ends everything in order.

Each part is ``kakehashi serve NAME`` in a process group of its own, writing to ``logs/NAME.log``. If the supervisor
itself is killed, the kernel ends the parts (see :func:`serving.process.die_with_parent`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol, TextIO

from kakehashi.errors import KakehashiError, NotReady
from kakehashi.paths import home
from kakehashi.settings import Settings
from serving import access, process
from serving.components import Component, components, healthy, taken

TICK_S = 0.5
PROBE_EVERY_S = 5.0
HUNG_S = 180.0  # no healthy answer for so long: restarted
BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
STEADY_S = 300.0  # after so long without a crash the pauses start small again
LOG_BYTES = 20 * 1024 * 1024
LOG_KEEP = 3
TAIL_LINES = 15

Say = Callable[[str], None]


class Reporter(Protocol):
    """Tells people what happens: ``say`` stays on the screen, ``waiting`` replaces what was waited for before."""

    def say(self, text: str) -> None: ...

    def waiting(self, text: str) -> None: ...


class AlreadyRunning(Exception):
    """Another supervisor of this KAKEHASHI_HOME holds the lock."""


@contextmanager
def sole() -> Iterator[None]:
    """Hold the lock of this KAKEHASHI_HOME, or raise AlreadyRunning. The kernel frees it when the process dies."""
    lock: TextIO = (home().make().run / "up.lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning from error
        process.write("supervisor", os.getpid())
        try:
            yield
        finally:
            process.forget("supervisor")


def check_ports(settings: Settings) -> None:
    """Raises ConfigError for the first port that is taken, before anything starts."""
    for component in components(settings):
        for port in component.ports.values() if not component.external else ():
            if not process.port_is_free(component.host, port):
                raise taken(component, port)


def tail(name: str, lines: int = TAIL_LINES) -> str:
    """The last lines of a part's log."""
    file = home().logs / f"{name}.log"
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else ""


def rotate(file: Path, limit: int = LOG_BYTES, keep: int = LOG_KEEP) -> None:
    """Move a grown log aside. Its writer holds the file open for appending, so the content is copied, then cut."""
    if not file.exists() or file.stat().st_size < limit:
        return
    for number in range(keep - 1, 0, -1):
        older = file.with_name(f"{file.name}.{number}")
        if older.exists():
            older.replace(file.with_name(f"{file.name}.{number + 1}"))
    shutil.copyfile(file, file.with_name(f"{file.name}.1"))
    os.truncate(file, 0)


@dataclass
class Child:
    """One part and its process; ``crashes`` in a row decide how long the next start waits."""

    component: Component
    process: subprocess.Popen[bytes] | None = None
    ready: bool = False
    crashes: int = 0
    started: float = 0.0
    well: float = 0.0  # when it was last healthy
    probed: float = 0.0
    again_at: float = 0.0

    @property
    def name(self) -> str:
        return self.component.name

    def start(self) -> None:
        log = home().logs / f"{self.name}.log"
        command = [sys.executable, "-m", "kakehashi", "serve", self.name]
        environment = {**os.environ, "KAKEHASHI_HOME": str(home().root), "KAKEHASHI_SUPERVISED": "1"}
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        process.write(self.name, self.process.pid, self.component.port)
        self.ready, self.started, self.well = False, time.monotonic(), time.monotonic()

    def ended(self) -> int | None:
        return None if self.process is None else self.process.poll()

    def probe(self, every_s: float) -> None:
        now = time.monotonic()
        if now - self.probed >= every_s:
            self.probed = now
            if healthy(self.component):
                self.ready, self.well = True, now
                process.mark_ready(self.name)

    def stop(self) -> None:
        if self.process is not None:
            process.end_group(self.process.pid, self.component.grace_s)
            process.forget(self.name)
            self.process = None


class Supervisor:
    """Runs the parts of one KAKEHASHI_HOME in this process."""

    def __init__(self, settings: Settings, report: Reporter) -> None:
        self.settings, self.report = settings, report
        self.children = [Child(component) for component in components(settings) if not component.external]
        self.stopping = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def run(self, on_ready: Callable[[], None]) -> None:
        """Start everything, call ``on_ready`` when all are healthy, keep watch until a signal, stop everything.

        Raises NotReady with the end of the log of a part that does not come up.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        try:
            self._bring_up()
            if not self.stopping:
                on_ready()
            self._watch()
        finally:
            self._stop_all()

    def _bring_up(self) -> None:
        """Engine and gateway first; the pages as soon as their keys are known to be good, while the engine loads."""
        first = [child for child in self.children if child.name in ("engine", "gateway")]
        for child in first:
            child.start()
        self._await([child for child in first if child.name == "gateway"])
        if not self.stopping:
            for name in access.renew_unknown(self.settings):
                self.report.say(f"The gateway did not know the key of {name} (secrets/{name}.key); it has a new one.")
        for child in self.children:
            if child not in first and not self.stopping:
                child.start()
        self._await(self.children)

    def _await(self, awaited: list[Child]) -> None:
        while not self.stopping and not all(child.ready for child in awaited):
            for child in self.children:
                self._check_start(child)
            self._progress()
            time.sleep(TICK_S)

    def _check_start(self, child: Child) -> None:
        if child.process is None or child.ready:
            return
        code = child.ended()
        if code is not None:
            raise NotReady(
                f"The {child.name} ended with code {code} while starting. The end of its log:\n{tail(child.name)}",
                hint=f"The whole log: kakehashi logs {child.name}",
                code="start_failed",
            )
        child.probe(every_s=TICK_S)
        waited = time.monotonic() - child.started
        if not child.ready and waited > child.component.start_timeout_s:
            raise NotReady(
                f"The {child.name} did not answer within {waited:.0f} s. The end of its log:\n{tail(child.name)}",
                hint=f"The whole log: kakehashi logs {child.name}",
                code="start_timeout",
            )

    def _progress(self) -> None:
        waiting = [child for child in self.children if child.process is not None and not child.ready]
        if waiting:
            parts = ", ".join(f"{child.name} ({time.monotonic() - child.started:.0f} s)" for child in waiting)
            self.report.waiting(parts)

    def _watch(self) -> None:
        checked = time.monotonic()
        while not self.stopping:
            for child in self.children:
                self._keep(child)
            if time.monotonic() - checked > PROBE_EVERY_S:
                checked = time.monotonic()
                for child in self.children:
                    rotate(home().logs / f"{child.name}.log")
            time.sleep(TICK_S)

    def _keep(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.again_at:
                child.start()
            return
        code = child.ended()
        if code is not None:
            self._schedule(child, f"ended with code {code}")
            return
        child.probe(PROBE_EVERY_S)
        limit = HUNG_S if child.ready else child.component.start_timeout_s
        if now - child.well > limit:
            self._schedule(child, f"has not answered for {limit:.0f} s")

    def _schedule(self, child: Child, reason: str) -> None:
        """End what is left of the part and plan its next start."""
        if time.monotonic() - child.started > STEADY_S:
            child.crashes = 0
        pause = BACKOFF_S[min(child.crashes, len(BACKOFF_S) - 1)]
        child.crashes += 1
        self.report.say(f"The {child.name} {reason}; it starts again in {pause:.0f} s.")
        child.stop()
        child.again_at = time.monotonic() + pause

    def _stop_all(self) -> None:
        for child in reversed(self.children):
            if child.process is not None:
                self.report.say(f"Stopping the {child.name} …")
                child.stop()


def stop_everything(settings: Settings, say: Say, patience_s: float = 90.0) -> bool:
    """End the supervisor and whatever part still lives; answers whether there was anything to end."""
    supervisor = process.read("supervisor")
    if supervisor is not None:
        say("Stopping …")
        os.kill(supervisor.pid, signal.SIGTERM)
        deadline = time.monotonic() + patience_s
        while supervisor.alive and time.monotonic() < deadline:
            time.sleep(process.POLL_S)
        if supervisor.alive:
            os.kill(supervisor.pid, signal.SIGKILL)
    found = supervisor is not None
    for component in reversed(components(settings)):
        record = process.read(component.name)
        if record is not None:
            say(f"Stopping the {component.name} …")
            end_single(record, component)
            found = True
    return found


def end_single(record: process.Record, component: Component) -> None:
    """End a part that was started singly: it leads its own group only if a shell made one for it."""
    if os.getpgid(record.pid) == record.pid:
        process.end_group(record.pid, component.grace_s)
    else:
        os.kill(record.pid, signal.SIGTERM)
        deadline = time.monotonic() + component.grace_s
        while record.alive and time.monotonic() < deadline:
            time.sleep(process.POLL_S)
        if record.alive:
            raise KakehashiError(f"The {component.name} (pid {record.pid}) does not end.", hint=f"kill -9 {record.pid}")
    process.forget(component.name)
