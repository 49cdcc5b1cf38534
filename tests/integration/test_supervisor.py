"""`kakehashi up` for real: gateway and both apps as processes, in front of a stand-in model server."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kakehashi.contracts import Status
from serving import components, process
from tests.conftest import free_port
from tests.helpers.fake_upstream import FakeUpstream, running

PARTS = ("gateway", "speech", "minutes", "proposals")
START_S = 120


class System:
    """One KAKEHASHI_HOME and the command line on it."""

    first_output = ""  # what the very first `up` printed

    def __init__(self, home: Path, upstream: str) -> None:
        self.home = home
        self.ports = {part: free_port() for part in PARTS}
        self.env = {
            **os.environ,
            "KAKEHASHI_HOME": str(home),
            "KAKEHASHI_ENGINE__MODEL": upstream,
            "KAKEHASHI_GATEWAY__ADMIN_PORT": str(free_port()),
            **{f"KAKEHASHI_{part.upper()}__PORT": str(port) for part, port in self.ports.items()},
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kakehashi", *arguments]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=START_S)

    def status(self) -> dict[str, Any]:
        answer = Status.model_validate_json(self.run("status", "--json").stdout)
        return {item.name: item for item in answer.components}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A running system; the tests of this module share it, in order."""
    with running(FakeUpstream()) as upstream:
        made = System(tmp_path_factory.mktemp("up") / "架け橋 home", upstream.url)
        made.home.mkdir()
        started = made.run("up", "--detach")
        assert started.returncode == 0, started.stdout + started.stderr
        made.first_output = started.stdout
        yield made
        made.run("down")


def wait_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + START_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.3)
    return condition()


def test_everything_is_up_and_the_engine_is_elsewhere(system: System) -> None:
    found = system.status()
    assert {name: item.state for name, item in found.items()} == {
        "engine": "external", "gateway": "running", "speech": "running", "minutes": "running", "proposals": "running",
    }  # fmt: skip
    assert all(found[part].pid and found[part].url for part in PARTS)


def test_keys_are_printed_once_and_readable_by_the_owner_only(system: System) -> None:
    for name in ("admin", "minutes", "proposals"):
        file = system.home / "secrets" / f"{name}.key"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text().strip() in system.first_output
    again = system.run("up")
    assert again.returncode == 0
    assert "kk_" not in again.stdout


def test_the_keys_of_the_apps_open_the_gateway(system: System) -> None:
    url = f"http://127.0.0.1:{system.ports['gateway']}/v1/models"
    for name in ("minutes", "proposals"):
        key = (system.home / "secrets" / f"{name}.key").read_text().strip()
        assert components.get(url, key=key)[0] == 200
    assert components.get(url)[0] == 401


def test_a_second_up_says_so_and_changes_nothing(system: System) -> None:
    before = {name: item.pid for name, item in system.status().items()}
    again = system.run("up")
    assert again.returncode == 0
    assert "already" in again.stdout
    assert {name: item.pid for name, item in system.status().items()} == before


def test_a_part_that_is_started_twice_names_the_first(system: System) -> None:
    second = system.run("serve", "minutes")
    assert second.returncode == 2
    assert f"Port {system.ports['minutes']}" in second.stderr


def test_a_killed_part_comes_back(system: System) -> None:
    before = system.status()["gateway"].pid
    os.kill(before, signal.SIGKILL)
    assert wait_for(lambda: (now := system.status()["gateway"]).state == "running" and now.pid != before)
    assert "gateway ended with code -9" in system.run("logs", "supervisor").stdout


def test_nothing_stored_names_a_place_on_this_machine(system: System) -> None:
    files = [file for file in system.home.rglob("*") if file.is_file() and "logs" not in file.parts]
    assert [file for file in files if str(system.home).encode() in file.read_bytes()] == []


def test_down_leaves_no_process_behind(system: System) -> None:
    groups = [item.pid for item in system.status().values() if item.pid]
    stopped = system.run("down")
    assert stopped.returncode == 0
    assert "Everything is stopped" in stopped.stdout
    assert [process.group_members(group) for group in groups] == [[]] * len(groups)
    assert {item.state for item in system.status().values()} == {"external", "stopped"}
    assert "Nothing was running" in system.run("down").stdout


def test_a_taken_port_is_named_before_anything_starts(system: System) -> None:
    code = (
        "import socket, time; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); "
        f"s.bind(('127.0.0.1', {system.ports['proposals']})); s.listen(); print('x', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline()  # it holds the port from now on
        refused = system.run("up", "--detach")
        holder.kill()
    assert refused.returncode == 2
    assert f"Port {system.ports['proposals']} for the proposals is taken by" in refused.stderr
    assert f"(pid {holder.pid})" in refused.stderr
    assert {item.state for item in system.status().values()} == {"external", "stopped"}


def test_interrupting_up_in_the_foreground_stops_everything(system: System) -> None:
    command = [sys.executable, "-m", "kakehashi", "up"]
    with subprocess.Popen(command, env=system.env, stdout=subprocess.PIPE, text=True) as foreground:
        assert foreground.stdout is not None
        assert "Kakehashi is running.\n" in iter(foreground.stdout.readline, "")
        groups = [item.pid for item in system.status().values() if item.pid]
        foreground.send_signal(signal.SIGINT)
        assert foreground.wait(timeout=60) == 0
    assert [process.group_members(group) for group in groups] == [[]] * len(groups)
    assert not json.loads(system.run("status", "--json").stdout)["components"][1]["pid"]
