"""Two gateway processes on one Redis and one database: no overshoot together, no drift after kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import sqlalchemy as sa

from gateway.identity.keys import KeySpec
from gateway.identity.store import IdentityStore
from gateway.ledger.tables import LEDGER
from gateway.limits.shared import PREFIX
from gateway.storage.database import open_database
from gateway.storage.schema import prepare
from tests.helpers.fake_upstream import FakeUpstream, running
from tests.integration.test_gateway_limit_stores import REDIS
from tests.integration.test_gateway_process import MAIN, free_port, status, until

# Leases of two seconds, so that a test can wait for their end.
HURRIED = "from gateway.limits import meter; meter.LEASE_S, meter.RENEW_S = 2.0, 0.3\n" + MAIN
ROOM = 7
EACH = 112  # tokens that each request below may need: 12 of prompt, as estimated, and 100 of answer
BODY = {"model": "default", "max_tokens": 100, "messages": [{"role": "user", "content": "x" * 27}]}

pytestmark = pytest.mark.redis


@pytest.fixture
def store() -> Iterator[Any]:
    client = redis.Redis.from_url(REDIS, socket_connect_timeout=2, decode_responses=True)
    try:
        client.ping()
    except redis.ConnectionError as error:
        pytest.skip(f"Redis does not run here ({REDIS}): {error}")
    yield client
    client.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/gateway.db")
    prepare(engine)
    yield engine
    engine.dispose()


@contextmanager
def gateway(home: Path, upstream: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    port = free_port()
    environment = {
        **os.environ, "KAKEHASHI_HOME": str(home), "KAKEHASHI_GATEWAY__PORT": str(port),
        "KAKEHASHI_GATEWAY__ADMIN_PORT": "null", "KAKEHASHI_GATEWAY__UPSTREAM": upstream,
        "KAKEHASHI_GATEWAY__REDIS_URL": REDIS,
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-c", HURRIED], env=environment, stderr=subprocess.DEVNULL, text=True)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: status(url + "/health/live") == 200 or process.poll() is not None, 60)
        yield process, url
    finally:
        process.kill()
        process.wait()


async def ask(urls: list[str], key: str, upstream: FakeUpstream, held: int) -> list[httpx.Response]:
    """Two hundred requests at once, spread over the gateways, until only those that the engine holds are left."""
    async with httpx.AsyncClient(
        headers={"authorization": f"Bearer {key}"}, timeout=60, limits=httpx.Limits(max_connections=200)
    ) as http:
        tasks = [asyncio.create_task(http.post(urls[i % len(urls)], json=BODY)) for i in range(200)]
        waiting, answers = set(tasks), list[httpx.Response]()
        while len(waiting) > held:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            answers += [task.result() for task in done]
        while len(upstream.requests) < held:  # noqa: ASYNC110 - another thread counts them
            await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return answers


def used(store: Any, key_id: str, what: str) -> int:
    """Settled and reserved, over the rows of one limit of a key."""
    found = list(store.scan_iter(f"{PREFIX}:key:{key_id}:{what}:*"))
    return sum(int(number) for row in found for number in store.hvals(row))


async def test_two_gateways_admit_exactly_as_many_of_two_hundred_as_one_budget_has_room_for(
    tmp_path: Path, database: sa.Engine, store: Any
) -> None:
    made, secret = IdentityStore(database).create_key(KeySpec("n", tokens_per_day=ROOM * EACH + 50))
    with (
        running(FakeUpstream(mode="stall")) as upstream,
        gateway(tmp_path, upstream.url) as (_, one),
        gateway(tmp_path, upstream.url) as (_, other),
    ):
        urls = [f"{url}/v1/chat/completions" for url in (one, other)]
        answers = await ask(urls, secret.key, upstream, ROOM)
        assert {answer.status_code for answer in answers} == {429} and len(answers) == 200 - ROOM
        assert len(upstream.requests) == ROOM
        # The clients have left; what nobody counted is charged as the ledger has it, on both sides the same.
        until(lambda: used(store, made.id, "tokens:day") == billed(database, made.id))


def billed(database: sa.Engine, key_id: str) -> int:
    with database.connect() as connection:
        total = sa.func.sum(LEDGER.c.prompt_tokens + LEDGER.c.completion_tokens)
        return int(connection.execute(sa.select(total).where(LEDGER.c.key_id == key_id)).scalar() or 0)


async def test_kill_nine_under_load_leaves_no_drift_and_gives_every_lease_back(
    tmp_path: Path, database: sa.Engine, store: Any
) -> None:
    spec = KeySpec("n", tokens_per_day=10**6, concurrency=40)
    made, secret = IdentityStore(database).create_key(spec)
    headers = {"authorization": f"Bearer {secret.key}"}
    with running(FakeUpstream(mode="slow", pause_s=0.3)) as upstream, gateway(tmp_path, upstream.url) as (_, survivor):
        with gateway(tmp_path, upstream.url) as (process, victim):
            urls = [f"{url}/v1/chat/completions" for url in (victim, survivor)]
            async with httpx.AsyncClient(headers=headers, timeout=60, limits=httpx.Limits(max_connections=60)) as http:
                tasks = [asyncio.create_task(http.post(urls[i % 2], json=BODY)) for i in range(60)]
                while len(upstream.requests) < 25:  # noqa: ASYNC110 - another thread counts them
                    await asyncio.sleep(0.005)
                process.send_signal(signal.SIGKILL)
                results = await asyncio.gather(*tasks, return_exceptions=True)
        assert any(isinstance(result, httpx.TransportError) for result in results), "it was killed in the middle"
        with database.connect() as connection:
            states = connection.execute(sa.select(LEDGER.c.state).where(LEDGER.c.key_id == made.id)).scalars().all()
        assert "started" in states
        until(lambda: used(store, made.id, "concurrency:now") == 0, 30)  # the survivor takes the leases back
        with gateway(tmp_path, upstream.url):  # the next start settles what the dead one left open
            with database.connect() as connection:
                rows = connection.execute(sa.select(LEDGER).where(LEDGER.c.key_id == made.id)).all()
            assert {row.state for row in rows} == {"settled", "lost"}
            lost = [row for row in rows if row.state == "lost"]
            assert all(row.prompt_tokens == row.lost_tokens and row.completion_tokens == 0 for row in lost)
            until(lambda: used(store, made.id, "tokens:day") == billed(database, made.id))
