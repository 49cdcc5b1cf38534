"""The gateway as its own process: starts without an engine, finishes streams when told to stop, names a taken port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gateway.identity.keys import KeySpec
from gateway.identity.store import IdentityStore
from gateway.storage.database import open_database
from gateway.storage.schema import prepare
from tests.helpers.fake_upstream import FakeUpstream, running

MAIN = """
import sys
from unittest import mock
from kakehashi.errors import KakehashiError
from kakehashi.settings import load
from gateway import app
from tests.helpers.fakes import FakeGuardrails
with mock.patch.object(app, "load_policy", lambda path: FakeGuardrails()):
    try:
        app.serve(load())
    except KakehashiError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
"""
BODY = {"model": "default", "messages": [{"role": "user", "content": "一二三四五六七八九十" * 3}]}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def status(url: str) -> int:
    try:
        return httpx.get(url).status_code
    except httpx.TransportError:
        return 0


@pytest.fixture
def key(tmp_path: Path) -> str:
    engine = open_database(f"sqlite:///{tmp_path}/gateway.db")
    prepare(engine)
    _, secret = IdentityStore(engine).create_key(KeySpec("n"))
    engine.dispose()
    return secret.key


def start(home: Path, port: int, upstream: str, admin_port: int | None = None) -> subprocess.Popen[str]:
    environment = {
        **os.environ, "KAKEHASHI_HOME": str(home), "KAKEHASHI_GATEWAY__PORT": str(port),
        "KAKEHASHI_GATEWAY__ADMIN_PORT": str(admin_port) if admin_port else "null",
        "KAKEHASHI_GATEWAY__UPSTREAM": upstream,
    }  # fmt: skip
    return subprocess.Popen([sys.executable, "-c", MAIN], env=environment, stderr=subprocess.PIPE, text=True)


@contextmanager
def gateway(home: Path, upstream: str, admin_port: int | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    port = free_port()
    process = start(home, port, upstream, admin_port)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: status(url + "/health/live") == 200 or process.poll() is not None)
        yield process, url
    finally:
        process.kill()
        process.communicate()


def test_starts_while_the_engine_is_down_and_serves_once_it_is_up(tmp_path: Path, key: str) -> None:
    port, headers = free_port(), {"authorization": f"Bearer {key}"}
    with gateway(tmp_path, f"http://127.0.0.1:{port}/v1") as (_, url):
        answer = httpx.post(url + "/v1/chat/completions", json=BODY, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "upstream_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        ready = httpx.get(url + "/health/ready")
        assert ready.status_code == 503 and ready.json()["parts"]["upstream"] == "refuses connections"
        assert ready.json()["parts"]["database"] == "ok" and ready.json()["error"]["code"] == "not_ready"
        with running(FakeUpstream(), port):
            until(lambda: status(url + "/health/ready") == 200)
            assert httpx.post(url + "/v1/chat/completions", json=BODY, headers=headers).status_code == 200
        assert httpx.post(url + "/v1/chat/completions", json=BODY, headers=headers).status_code == 503
        assert status(url + "/health/ready") == 503


def test_a_stream_under_way_is_finished_before_the_process_ends(tmp_path: Path, key: str) -> None:
    headers = {"authorization": f"Bearer {key}"}
    admin_port = free_port()
    with (
        running(FakeUpstream(mode="slow", pause_s=0.1)) as upstream,
        gateway(tmp_path, upstream.url, admin_port) as (process, url),
    ):
        assert status(f"http://127.0.0.1:{admin_port}/health/live") == 200
        with httpx.stream("POST", url + "/v1/chat/completions", json={**BODY, "stream": True}, headers=headers) as r:
            lines = r.iter_lines()
            next(lines)
            process.send_signal(signal.SIGTERM)
            assert "data: [DONE]" in list(lines)
        assert process.wait(15) == 0


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for process in (
            start(tmp_path, port, "http://127.0.0.1:1"),
            start(tmp_path, free_port(), "http://127.0.0.1:1", port),
        ):
            _, said = process.communicate(timeout=30)
            assert process.returncode == 2 and f"Port {port}" in said and "Traceback" not in said


def test_two_gateways_share_one_database_and_its_audit_log(tmp_path: Path, key: str) -> None:
    headers = {"authorization": f"Bearer {key}"}
    with (
        running(FakeUpstream()) as upstream,
        gateway(tmp_path, upstream.url) as (_, one),
        gateway(tmp_path, upstream.url) as (_, other),
    ):
        statuses: list[int] = []

        def ask(url: str) -> None:
            with httpx.Client(headers=headers) as http:
                statuses.extend(http.post(url + "/v1/chat/completions", json=BODY).status_code for _ in range(20))

        threads = [threading.Thread(target=ask, args=(url,)) for url in (one, other, one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 80
    checked = subprocess.run(
        [sys.executable, "-m", "kakehashi", "audit", "verify", "--json"],
        env={**os.environ, "KAKEHASHI_HOME": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert '"ok":true' in checked.stdout and '"open_requests":[]' in checked.stdout
