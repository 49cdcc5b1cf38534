"""kill -9 under load: each request that was answered is on record, whole; the others are listed; the chains verify."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from gateway.audit.crypto import Signer, Vault
from gateway.audit.store import open_engine
from gateway.audit.tables import ENTRIES
from gateway.identity.keys import KeySpec
from gateway.identity.store import IdentityStore
from gateway.storage.database import open_database
from gateway.storage.schema import prepare
from kakehashi.paths import Home
from tests.helpers.audit import Setup, schema_of_its_own
from tests.helpers.fake_upstream import FakeUpstream, running
from tests.integration.test_gateway_process import free_port, start, status, until

CLIENTS, ENOUGH = 12, 100
BODY = {"model": "default", "messages": [{"role": "user", "content": "一二三四五"}]}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """The URL of a database, and a key in it."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path}/g.db" if request.param == "sqlite" else stack.enter_context(schema_of_its_own())
        monkeypatch.setenv("KAKEHASHI_GATEWAY__DATABASE_URL", url)
        engine = open_database(url)
        prepare(engine)
        _, secret = IdentityStore(engine).create_key(KeySpec("n", team=None))
        engine.dispose()
        yield url, secret.key


class Load:
    """Clients that ask the gateways in turn until they are told to stop; ``answered``: ids of whole 200 answers."""

    def __init__(self, urls: list[str], key: str) -> None:
        self.answered: list[str] = []
        self.stop = threading.Event()
        self._headers = {"authorization": f"Bearer {key}"}
        self._threads = [
            threading.Thread(target=self._ask, args=(urls[number % len(urls)], bool(number % 3)), daemon=True)
            for number in range(CLIENTS)
        ]

    def _ask(self, url: str, stream: bool) -> None:
        with httpx.Client(headers=self._headers, timeout=20) as http:
            while not self.stop.is_set():
                try:
                    answer = http.post(url + "/v1/chat/completions", json={**BODY, "stream": stream})
                except httpx.TransportError:
                    continue
                if answer.status_code == 200 and (not stream or answer.text.rstrip().endswith("data: [DONE]")):
                    self.answered.append(answer.headers["x-request-id"])

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(30)


def on_record(url: str) -> dict[str, set[str]]:
    """Request ids by kind of entry."""
    engine = open_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(ENTRIES.c.kind, ENTRIES.c.request_id)).all()
    engine.dispose()
    return {kind: {r.request_id for r in rows if r.kind == kind} for kind in ("intent", "outcome")}


def test_a_killed_gateway_loses_no_answered_request(tmp_path: Path, place: tuple[str, str]) -> None:
    url, key = place
    homes = [tmp_path / "one", tmp_path / "two"]  # two replicas on one database, each with a home, sharing the secrets
    secrets = Home(homes[0]).make().secrets
    Signer.open(secrets)
    Vault.open(secrets)
    shutil.copytree(secrets, Home(homes[1]).make().secrets, dirs_exist_ok=True)
    ports = [free_port(), free_port()]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    processes: list[subprocess.Popen[str]] = []
    with running(FakeUpstream()) as upstream:
        try:
            processes += [start(home, port, upstream.url) for home, port in zip(homes, ports, strict=True)]
            until(lambda: all(status(address + "/health/live") == 200 for address in urls), 120)
            with Load(urls, key) as load:
                until(lambda: len(load.answered) >= ENOUGH, 90)
                for process in processes:
                    os.kill(process.pid, signal.SIGKILL)
                for process in processes:
                    process.wait()
            assert len(load.answered) >= ENOUGH
            processes.append(start(homes[0], ports[0], upstream.url))
            until(lambda: status(urls[0] + "/health/live") == 200, 90)
            again = httpx.post(
                urls[0] + "/v1/chat/completions", json=BODY, headers={"authorization": f"Bearer {key}"}, timeout=60
            )
            assert again.status_code == 200
        finally:
            for process in processes:
                process.kill()
                process.communicate()
    kept = on_record(url)
    answered = {*load.answered, again.headers["x-request-id"]}
    assert answered <= kept["intent"] and answered <= kept["outcome"]
    for home in homes:
        setup = Setup(Home(home), url)
        report = setup.verify()
        setup.engine.dispose()
        assert report.problems == []
        assert len(report.writers) == 2, "the one that was started again goes on with its chain"
        assert set(report.open_requests) == kept["intent"] - kept["outcome"]
        assert not answered & set(report.open_requests)
