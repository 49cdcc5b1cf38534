"""Batches outlive what runs them: a gateway killed without warning, and replicas that share the work of one database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from gateway.batches.tables import LINES
from gateway.identity.keys import KeySpec
from gateway.identity.store import IdentityStore
from gateway.storage.database import open_database
from gateway.storage.schema import prepare
from tests.conftest import free_port
from tests.helpers.fake_upstream import FakeUpstream
from tests.integration.test_gateway_process import MAIN
from tests.integration.test_gateway_stores import postgres  # noqa: F401 - a fixture

LINES_OF_IT = 40
PARALLEL = 4


class Replica:
    """A gateway process on a database that others may share."""

    def __init__(self, home: Path, upstream: str, database: str) -> None:
        self.port = free_port()
        settings = {
            "KAKEHASHI_HOME": str(home), "KAKEHASHI_GATEWAY__PORT": str(self.port), "KAKEHASHI_GATEWAY__ADMIN_PORT": "null",
            "KAKEHASHI_GATEWAY__UPSTREAM": upstream, "KAKEHASHI_GATEWAY__DATABASE_URL": database,
            "KAKEHASHI_GATEWAY__BATCH_LEASE_S": "2", "KAKEHASHI_GATEWAY__BATCH_PARALLEL": str(PARALLEL),
        }  # fmt: skip
        self.process = subprocess.Popen([sys.executable, "-c", MAIN], env={**os.environ, **settings})
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def wait(self) -> Replica:
        until(lambda: self._answers() or self.process.poll() is not None)
        assert self.process.poll() is None
        return self

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url.removesuffix("/v1") + "/health/live").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def replicas(number: int, home: Path, upstream: str, database: str) -> Iterator[list[Replica]]:
    started: list[Replica] = []
    try:
        started += [Replica(home, upstream, database) for _ in range(number)]
        yield [replica.wait() for replica in started]
    finally:
        for replica in started:
            replica.kill()


class Caller:
    def __init__(self, url: str, key: str) -> None:
        self._url, self._headers = url, {"authorization": f"Bearer {key}"}

    def start(self) -> str:
        lines = [
            {"custom_id": f"line {n}", "method": "POST", "url": "/v1/chat/completions",
             "body": {"model": "default", "messages": [{"role": "user", "content": f"line {n}"}]}}
            for n in range(LINES_OF_IT)
        ]  # fmt: skip
        content = "\n".join(json.dumps(line) for line in lines)
        sent = {"files": {"file": ("a.jsonl", content)}, "data": {"purpose": "batch"}}
        file = httpx.post(f"{self._url}/files", headers=self._headers, **sent).json()["id"]  # type: ignore[arg-type]
        asked = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        batch: str = httpx.post(f"{self._url}/batches", headers=self._headers, json=asked).json()["id"]
        return batch

    def batch(self, batch_id: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self._url}/batches/{batch_id}", headers=self._headers).json()
        return found

    def answered(self, batch: dict[str, Any]) -> list[str]:
        """The custom ids of the output, each of whose answers is its own."""
        content = httpx.get(f"{self._url}/files/{batch['output_file_id']}/content", headers=self._headers).text
        rows = [json.loads(line) for line in content.splitlines()]
        assert all(row["response"]["body"]["choices"][0]["message"]["content"] == row["custom_id"] for row in rows)
        return [row["custom_id"] for row in rows]


def new_key(database: str) -> str:
    engine = open_database(database)
    prepare(engine)
    _, secret = IdentityStore(engine).create_key(KeySpec("n"))
    engine.dispose()
    return secret.key


def stored(database: str) -> tuple[set[str], set[str]]:
    """What has an answer that is kept, and which processes hold lines now."""
    engine = open_database(database)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(LINES.c.number, LINES.c.state, LINES.c.lessee)).all()
    engine.dispose()
    return {f"line {row.number - 1}" for row in rows if row.state == "ok"}, {row.lessee for row in rows if row.lessee}


def check_nothing_lost_nothing_twice(upstream: FakeUpstream, kept: set[str], answered: list[str]) -> None:
    """Every line has its one answer; of those that were asked again, none had been answered before."""
    assert answered == [f"line {n}" for n in range(LINES_OF_IT)]
    asked = Counter(request["messages"][0]["content"] for request in upstream.requests)
    again = {line for line, times in asked.items() if times > 1}
    assert set(asked) == set(answered) and not again & kept and len(again) <= PARALLEL


def test_a_killed_gateway_goes_on_where_it_was(tmp_path: Path, upstream: FakeUpstream) -> None:
    database = f"sqlite:///{tmp_path}/gateway.db"
    key = new_key(database)
    upstream.mode, upstream.pause_s = "slow", 0.2
    with replicas(1, tmp_path, upstream.url, database) as [first]:
        caller = Caller(first.url, key)
        batch_id = caller.start()
        until(lambda: caller.batch(batch_id)["request_counts"]["completed"] >= 8)
        first.kill()
    kept, _ = stored(database)
    assert 8 <= len(kept) < LINES_OF_IT
    with replicas(1, tmp_path, upstream.url, database) as [second]:
        caller = Caller(second.url, key)
        until(lambda: caller.batch(batch_id)["status"] == "completed")
        check_nothing_lost_nothing_twice(upstream, kept, caller.answered(caller.batch(batch_id)))


@pytest.mark.postgres
def test_replicas_share_a_batch_and_one_may_be_killed(
    tmp_path: Path,
    upstream: FakeUpstream,
    postgres: str,  # noqa: F811
) -> None:
    key = new_key(postgres)
    upstream.mode, upstream.pause_s = "slow", 0.2
    with replicas(2, tmp_path, upstream.url, postgres) as [one, two]:
        caller, holders = Caller(two.url, key), set[str]()
        batch_id = Caller(one.url, key).start()  # taken in by one, seen by both

        def both_work() -> bool:
            holders.update(stored(postgres)[1])
            return len(holders) == 2

        until(both_work)
        until(lambda: len(stored(postgres)[0]) >= 8)
        one.kill()
        kept, _ = stored(postgres)
        until(lambda: caller.batch(batch_id)["status"] == "completed")
        check_nothing_lost_nothing_twice(upstream, kept, caller.answered(caller.batch(batch_id)))
