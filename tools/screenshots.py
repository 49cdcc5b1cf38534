"""``python -m tools.screenshots``: pictures of the running apps for the docs, at 1440 and 800 pixels.

Starts both apps on free ports with a home of their own, makes a meeting and a proposal from the samples in ``demo/``
with the gateway that is running (see ``kakehashi status``), and writes ``docs/screenshots/*.png``.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from playwright.sync_api import Page, sync_playwright

from kakehashi import settings
from kakehashi.errors import NotReady
from kakehashi.paths import CHECKOUT, home

OUT = CHECKOUT / "docs" / "screenshots"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
START_S, JOB_MS = 90, 900_000


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def app(name: str, folder: Path) -> Iterator[str]:
    """One app on a free port; gives its address."""
    port = free_port()
    loaded = settings.load()
    own = loaded.minutes if name == "minutes" else loaded.proposals
    key = own.key_file or home().secrets / f"{name}.key"
    if not key.exists():
        raise NotReady(f"There is no key for the {name} app.", hint="Run `make up` first.", code="no_key")
    prefix = f"KAKEHASHI_{name.upper()}__"
    environment = {
        **os.environ,
        "KAKEHASHI_HOME": str(folder),
        f"{prefix}PORT": str(port),
        f"{prefix}GATEWAY_URL": loaded.gateway_base_url(own),
        f"{prefix}KEY_FILE": str(key),
    }
    page = CHECKOUT / "apps" / name / "ui" / "main.py"
    command = [sys.executable, "-m", "streamlit", "run", str(page), f"--server.port={port}"]
    process = subprocess.Popen([*command, "--server.address=127.0.0.1"], cwd=CHECKOUT, env=environment)
    try:
        wait_healthy(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_healthy(url: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).close()  # noqa: S310 - our own address
            return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def shoot(page: Page, name: str) -> None:
    """One picture at desktop width and one at 800 pixels."""
    for width, end in ((1440, ""), (800, "-narrow")):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_timeout(1500)
        page.screenshot(path=OUT / f"{name}{end}.png")
        click.echo(f"docs/screenshots/{name}{end}.png")
    page.set_viewport_size({"width": 1440, "height": 1000})


def minutes(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("button", name="議事録を作成する").wait_for()
    shoot(page, "minutes-new")
    page.get_by_role("button", name="サンプルの会議で試す").click()
    page.get_by_role("progressbar").wait_for()
    shoot(page, "minutes-progress")
    page.get_by_role("tab", name="文字起こし").wait_for(timeout=JOB_MS)
    shoot(page, "minutes-review")
    page.get_by_role("tab", name="文字起こし").click()
    page.locator(".lines:not(.evidence) .line").nth(3).click()
    shoot(page, "minutes-transcript")
    page.get_by_role("tab", name="出力").click()
    shoot(page, "minutes-output")


def proposals(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("button", name="ストーリーラインを作成する").wait_for()
    shoot(page, "proposals-new")
    page.get_by_role("button", name="サンプルの概要で試す").click()
    page.get_by_role("button", name="スライドを作成する").wait_for(timeout=JOB_MS)
    shoot(page, "proposals-storyline")
    page.get_by_role("button", name="スライドを作成する").click()
    page.locator('[data-testid="stImage"] img').first.wait_for(timeout=JOB_MS)
    page.locator(".st-key-pick_5 button").click()
    shoot(page, "proposals-review")
    for name, tab in (("numbers", "数字の根拠"), ("findings", "点検結果")):
        page.get_by_role("tab", name=tab).click()
        shoot(page, f"proposals-{name}")


@click.command()
@click.option("--only", type=click.Choice(["minutes", "proposals"]), help="One app only.")
def main(only: str | None) -> None:
    """Make docs/screenshots/*.png from the running apps."""
    OUT.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    if chromium is None:
        raise NotReady("Chromium is not installed.", hint="apt-get install chromium", code="no_chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        work = Path(folder) / "home"
        work.mkdir()
        (work / "models").symlink_to(home().models)
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name, take in (("minutes", minutes), ("proposals", proposals)):
            if only in (None, name):
                with app(name, work) as url:
                    page = browser.new_page(locale="ja-JP", timezone_id="Asia/Tokyo")
                    page.set_default_timeout(START_S * 1000)
                    page.set_viewport_size({"width": 1440, "height": 1000})
                    take(page, url)
        browser.close()


if __name__ == "__main__":
    main()
