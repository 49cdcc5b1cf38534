"""Processes of ours: who is alive, how to end a whole group, who holds a port. Reads Linux's /proc.

A record ``run/NAME.json`` names a process by id *and* start time, so that a recycled id is never taken for ours.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from kakehashi.paths import home

POLL_S = 0.1
_PR_SET_PDEATHSIG = 1
_LISTEN = "0A"


def start_time(pid: int) -> str | None:
    """When the process started, unique across reboots; None if it is gone or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


@dataclass(frozen=True)
class Record:
    """A running component. ``ready`` tells that it has answered its health check at least once."""

    pid: int
    started: str
    since: float  # seconds since the epoch
    port: int | None = None
    ready: bool = False

    @property
    def alive(self) -> bool:
        return start_time(self.pid) == self.started


def _file(name: str) -> Path:
    return home().run / f"{name}.json"


def read(name: str) -> Record | None:
    """The record of a component that is alive; stale ones do not count."""
    try:
        record = Record(**orjson.loads(_file(name).read_bytes()))
    except (FileNotFoundError, orjson.JSONDecodeError, TypeError):
        return None
    return record if record.alive else None


def write(name: str, pid: int, port: int | None = None) -> None:
    started = start_time(pid)
    if started is not None:
        _save(name, Record(pid, started, time.time(), port))


def mark_ready(name: str) -> None:
    record = read(name)
    if record is not None and not record.ready:
        _save(name, replace(record, ready=True))


def _save(name: str, record: Record) -> None:
    draft = _file(name).with_suffix(f".{os.getpid()}")
    draft.write_bytes(orjson.dumps(asdict(record)))
    draft.replace(_file(name))


def forget(name: str) -> None:
    _file(name).unlink(missing_ok=True)


def die_with_parent() -> None:
    """Ask the kernel for a SIGTERM when our parent dies, so that nothing outlives a killed supervisor."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def group_members(group: int) -> list[int]:
    """Ids of the living processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] not in "ZX":
                found.append(int(stat.parent.name))
    return found


def end_group(pid: int, grace_s: float) -> None:
    """End the process that leads a group and then all that is left of the group, so that nothing is orphaned.

    The leader gets SIGTERM and ``grace_s`` to end its own children in order; what remains is killed.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while group_members(pid) and time.monotonic() < deadline:
        _reap(pid)
        time.sleep(POLL_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    _reap(pid)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def port_is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    return inodes


def port_owner(port: int) -> str:
    """``name (pid N)`` of the process that listens on the port, or ``another program`` where we may not look."""
    inodes = _listening_inodes(port)
    for process in Path("/proc").glob("[0-9]*"):
        if any(link in inodes for link in _open_files(process)):
            with contextlib.suppress(OSError):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return "another program"


def _open_files(process: Path) -> Iterator[str]:
    """What a process has open; fewer, or nothing, where it ends or closes files while we look, or is not ours."""
    with contextlib.suppress(OSError):
        for handle in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(handle.readlink())
