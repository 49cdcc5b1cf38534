"""Both apps as they really run (Streamlit, routes, worker) on a free port with a home of their own, and Chromium.

Between them and a stand-in for the model is the real gateway with its guardrails, keys and audit log.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from gateway.guardrails.policy import load_policy
from kakehashi.paths import CHECKOUT
from tests.browser.stub_model import StubModel
from tests.helpers.running_gateway import RunningGateway, running_gateway

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
expect.set_options(timeout=30_000)  # what must come may take its time on a busy machine; no test asserts on speed
FAKE_MICROPHONE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


class AppServer:
    """One app: start, kill, start again; the home stays."""

    def __init__(self, app: str, home: Path, gateway: RunningGateway, models: Path | None) -> None:
        self.app, self.home = app, home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        (home / "secrets").mkdir(parents=True)
        (home / "secrets" / f"{app}.key").write_text(gateway.key(name=app))
        if models is not None and models.exists():
            (home / "models").symlink_to(models)
        prefix = f"KAKEHASHI_{app.upper()}__"
        self.environment = {
            **os.environ,
            "KAKEHASHI_HOME": str(home),
            f"{prefix}GATEWAY_URL": gateway.url,
            f"{prefix}PORT": str(self.port),
        }

    def start(self) -> None:
        page = CHECKOUT / "apps" / self.app / "ui" / "main.py"
        command = [sys.executable, "-m", "streamlit", "run", str(page)]
        command += [f"--server.port={self.port}", "--server.address=127.0.0.1"]
        log = (self.home / "app.log").open("ab")
        self.process = subprocess.Popen(command, cwd=CHECKOUT, env=self.environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self._healthy():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.2)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """As a power cut would: no goodbye; the worker goes with it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def log(self) -> str:
        return (self.home / "app.log").read_text()[-3000:]

    def job_folders(self) -> list[Path]:
        return [path.parent for path in (self.home / "jobs" / self.app).glob("*/job.json")]


def settled(page: Page) -> None:
    """Wait until Streamlit has drawn the page anew: until then what the last run drew still stands there."""
    page.wait_for_timeout(300)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=60_000)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def stub() -> Iterator[StubModel]:
    with StubModel() as model:
        yield model


@pytest.fixture(scope="session")
def gateway(stub: StubModel, model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Asks for ``model_path`` because from here on KAKEHASHI_HOME is the gateway's."""
    home = tmp_path_factory.mktemp("gateway")
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(home, patch, stub.url, real_audit=True, guardrails=load_policy(None)) as server,
    ):
        yield server


def serve(app: str, home: Path, gateway: RunningGateway, models: Path | None = None) -> Iterator[AppServer]:
    server = AppServer(app, home, gateway, models)
    server.start()
    yield server
    if server.process is not None and server.process.poll() is None:
        server.process.terminate()
        server.process.wait(timeout=20)


@pytest.fixture(scope="module")
def minutes_app(
    tmp_path_factory: pytest.TempPathFactory, gateway: RunningGateway, model_path: Path
) -> Iterator[AppServer]:
    yield from serve("minutes", tmp_path_factory.mktemp("minutes") / "home", gateway, model_path)


@pytest.fixture(scope="module")
def proposals_app(tmp_path_factory: pytest.TempPathFactory, gateway: RunningGateway) -> Iterator[AppServer]:
    yield from serve("proposals", tmp_path_factory.mktemp("proposals") / "home", gateway)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"Chromium is not installed ({CHROMIUM})")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *FAKE_MICROPHONE])
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(
        viewport={"width": 1440, "height": 1000}, locale="ja-JP", timezone_id="Asia/Tokyo", permissions=["microphone"]
    )
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page whose script errors and requests to other machines fail the test."""
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"script error: {error}"))
    return page
