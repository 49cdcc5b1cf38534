"""Processes: records that survive recycled ids, ending whole groups, naming who holds a port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from kakehashi.paths import home
from serving import process, supervisor

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path / "home"))
    home().make()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEP, start_new_session=True) as running:
        yield running
        running.kill()


def test_a_record_is_read_while_its_process_lives(sleeper: subprocess.Popen[bytes]) -> None:
    process.write("gateway", sleeper.pid, 8080)
    record = process.read("gateway")
    assert record is not None
    assert (record.pid, record.port, record.ready) == (sleeper.pid, 8080, False)
    process.mark_ready("gateway")
    assert (again := process.read("gateway")) is not None
    assert again.ready
    sleeper.kill()
    sleeper.wait()
    assert process.read("gateway") is None


def test_a_recycled_process_id_is_not_taken_for_ours() -> None:
    process.write("gateway", os.getpid())
    file = home().run / "gateway.json"
    body = orjson.loads(file.read_bytes())
    file.write_bytes(orjson.dumps(body | {"started": "another boot:1"}))
    assert process.read("gateway") is None


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"pid": 1, "unknown": 2}'])
def test_a_broken_record_counts_as_none(content: bytes) -> None:
    (home().run / "gateway.json").write_bytes(content)
    assert process.read("gateway") is None


def test_ending_a_group_ends_children_that_ignore_the_signal() -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('x', flush=True); time.sleep(60)"
    )
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {stubborn!r}]); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", parent], start_new_session=True, stdout=subprocess.PIPE) as leader:
        assert leader.stdout is not None
        leader.stdout.read(1)  # the child ignores SIGTERM from now on
        assert len(process.group_members(leader.pid)) == 2
        process.end_group(leader.pid, grace_s=0.5)
        deadline = time.monotonic() + 5
        while process.group_members(leader.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.group_members(leader.pid) == []


def test_a_part_dies_with_its_supervisor() -> None:
    child = (
        "from serving import process; import os, time; process.die_with_parent(); print(os.getpid(), flush=True); "
        "time.sleep(60)"
    )
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as leader:
        assert leader.stdout is not None
        pid = int(leader.stdout.readline())
        os.kill(leader.pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while process.start_time(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.start_time(pid) is None


def test_who_holds_a_port_is_named() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not process.port_is_free("127.0.0.1", port)
        assert f"(pid {os.getpid()})" in process.port_owner(port)
    assert process.port_is_free("127.0.0.1", port)


def test_a_grown_log_moves_aside_and_its_writer_goes_on() -> None:
    log = home().logs / "gateway.log"
    with log.open("a") as writer:
        for generation in range(5):
            writer.write(f"{generation}" * 100)
            writer.flush()
            supervisor.rotate(log, limit=50, keep=3)
        writer.write("after")
    assert log.read_text() == "after"
    kept = [log.with_name(f"gateway.log.{number}").read_text()[0] for number in (1, 2, 3)]
    assert kept == ["4", "3", "2"]
    assert not log.with_name("gateway.log.4").exists()


def test_only_one_supervisor_holds_a_home() -> None:
    code = "from serving import supervisor\nwith supervisor.sole(): pass"
    with supervisor.sole():
        assert process.read("supervisor") is not None
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "AlreadyRunning" in second.stderr
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
