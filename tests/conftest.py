"""Fixtures that several suites share: the real models and a real engine. In CI no test of a named suite may skip."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from kakehashi.errors import NotReady
from kakehashi.paths import home
from serving import models, process, runtime

# No test asserts on time: a loaded machine must not fail a property.
settings.register_profile("kakehashi", deadline=None)
settings.load_profile("kakehashi")

SUITES = {"engine", "speech", "browser", "postgres", "redis", "office"}
ENGINE_MODEL = "smollm2-135m"  # the smallest: it starts in half a minute and has no sense, which no test asks for
ENGINE_START_S = 300


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--failed-list", type=Path, help="write the ids of tests that failed there, a line each")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if path := config.getoption("--failed-list"):
        bad = [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]
        path.write_text("".join(f"{nodeid}\n" for nodeid in dict.fromkeys(report.nodeid for report in bad)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    named = SUITES & {mark.name for mark in item.iter_markers()}
    if os.environ.get("CI") and report.skipped and named and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome, report.longrepr = "failed", f"In CI the {', '.join(named)} tests may not be skipped: {reason}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: synchronous Playwright keeps an event loop running in the thread, and asyncio tests cannot."""
    items.sort(key=lambda item: "browser" in {mark.name for mark in item.iter_markers()})


@pytest.fixture(scope="session")
def model_path() -> Path:
    """``$KAKEHASHI_HOME/models`` of the checkout, with the real models; `make test` fills it."""
    return home().models


def link_models(target: Path, source: Path) -> None:
    """Give a throw-away KAKEHASHI_HOME the real models."""
    target.mkdir(parents=True, exist_ok=True)
    (target / "models").symlink_to(source)


@pytest.fixture
def own_home(tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A KAKEHASHI_HOME for one test, holding nothing but the real models; its name needs quoting."""
    place = tmp_path / "架け橋 home"
    link_models(place, model_path)
    monkeypatch.setenv("KAKEHASHI_HOME", str(place))
    return place


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 -- our own address
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="session")
def engine_url(tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Iterator[str]:
    """Base URL (…/v1) of a real vLLM with the smallest model, one for the whole session.

    ``KAKEHASHI_TEST_ENGINE_URL`` names one that runs already; tests must not depend on which model it serves.
    """
    if given := os.environ.get("KAKEHASHI_TEST_ENGINE_URL"):
        yield given
        return
    try:
        models.path(ENGINE_MODEL)
        runtime.python()
    except NotReady as error:
        pytest.skip(f"{error} (or run the whole: make test)")
    place = tmp_path_factory.mktemp("engine") / "home"
    link_models(place, model_path)
    port = free_port()
    log = place / "engine.log"
    started = _start_engine(place, port, log)
    try:
        _await_engine(started, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.end_group(started.pid, grace_s=20)


def _start_engine(place: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    settings = {
        "KAKEHASHI_HOME": str(place),
        "KAKEHASHI_ENGINE__MODEL": f"embedded:{ENGINE_MODEL}",
        "KAKEHASHI_ENGINE__PORT": str(port),
        "KAKEHASHI_ENGINE__KV_CACHE_GIB": "0.5",
        "KAKEHASHI_ENGINE__MAX_MODEL_LEN": "4096",
    }
    command = [sys.executable, "-m", "kakehashi", "serve", "engine"]
    with log.open("wb") as out:
        return subprocess.Popen(command, env={**os.environ, **settings}, stdout=out, stderr=out, start_new_session=True)


def _await_engine(started: subprocess.Popen[bytes], health: str, log: Path) -> None:
    deadline = time.monotonic() + ENGINE_START_S
    while not answers(health):
        if started.poll() is not None or time.monotonic() > deadline:
            pytest.fail("The engine did not start:\n" + log.read_text(errors="replace")[-3000:])
        time.sleep(0.5)
