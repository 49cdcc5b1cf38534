"""Two gateways on two machines, one PostgreSQL: what one of them takes away, the other refuses within a second."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from gateway.errors import RateLimited, Unauthorized
from gateway.identity.keys import KeySpec
from gateway.identity.sessions import FREE_FAILURES, Sessions
from gateway.identity.store import IdentityStore
from gateway.identity.users import UserSpec, UserStore
from gateway.storage.database import open_database
from gateway.storage.schema import prepare
from tests.helpers.fake_upstream import FakeUpstream
from tests.integration.test_gateway_process import MAIN, free_port, status, until

pytestmark = pytest.mark.postgres
POSTGRES = os.environ.get("KAKEHASHI_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
BODY = {"model": "default", "messages": [{"role": "user", "content": "x"}]}
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A schema of its own in the test database, dropped afterwards."""
    try:
        connection = psycopg.connect(POSTGRES.replace("+psycopg", ""), autocommit=True, connect_timeout=2)
    except psycopg.OperationalError as error:
        pytest.skip(f"PostgreSQL does not run here ({POSTGRES}): {error}")
    name = f"kakehashi_{uuid.uuid4().hex[:12]}"
    with connection:
        connection.execute(f"CREATE SCHEMA {name}")
        yield f"{POSTGRES}?options=-csearch_path%3D{name}"
        connection.execute(f"DROP SCHEMA {name} CASCADE")


class Replica:
    """One gateway process with a home of its own."""

    def __init__(self, home: Path, database: str, upstream: str) -> None:
        self.port, self.admin_port = free_port(), free_port()
        environment = {
            **os.environ,
            "KAKEHASHI_HOME": str(home),
            "KAKEHASHI_GATEWAY__PORT": str(self.port),
            "KAKEHASHI_GATEWAY__ADMIN_PORT": str(self.admin_port),
            "KAKEHASHI_GATEWAY__UPSTREAM": upstream,
            "KAKEHASHI_GATEWAY__DATABASE_URL": database,
            "KAKEHASHI_GATEWAY__AUDIT_BODIES": "false",  # these homes have no master key in common
        }
        self.process = subprocess.Popen([sys.executable, "-c", MAIN], env=environment)

    def chat(self, key: str) -> int:
        headers = {"authorization": f"Bearer {key}"}
        url = f"http://127.0.0.1:{self.port}/v1/chat/completions"
        return httpx.post(url, json=BODY, headers=headers, timeout=30).status_code

    def admin(self, method: str, path: str, key: str, **json: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"}
        url = f"http://127.0.0.1:{self.admin_port}/admin/{path}"
        return httpx.request(method, url, json=json or None, headers=headers, timeout=30)


@contextmanager
def replica(home: Path, database: str, upstream: str) -> Iterator[Replica]:
    home.mkdir()
    started = Replica(home, database, upstream)
    try:
        until(lambda: status(f"http://127.0.0.1:{started.port}/livez") == 200 or started.process.poll() is not None)
        yield started
    finally:
        started.process.kill()
        started.process.wait()


@pytest.fixture(scope="module")
def stores(database: str) -> Iterator[tuple[IdentityStore, UserStore, Sessions]]:
    engine = open_database(database)
    prepare(engine)
    identity = IdentityStore(engine)
    users = UserStore(engine, identity)
    yield identity, users, Sessions(engine, identity, users, hours=1)
    engine.dispose()


@pytest.fixture(scope="module")
def replicas(
    tmp_path_factory: pytest.TempPathFactory, database: str, stores: Any, engine: FakeUpstream
) -> Iterator[tuple[Replica, Replica]]:
    root = tmp_path_factory.mktemp("replicas")
    with ExitStack() as stack:
        one, two = (stack.enter_context(replica(root / name, database, engine.url)) for name in ("one", "two"))
        yield one, two


def refused_after_a_second(two: Replica, key: str, refusal: int) -> None:
    """The other replica, which has the key in memory and is asked all the time, refuses what begins a second later."""
    taken_at = time.monotonic()
    while time.monotonic() < taken_at + 1:
        assert two.chat(key) in (200, refusal)
    assert two.chat(key) == refusal


def test_what_one_replica_takes_away_the_other_refuses_within_a_second(
    replicas: tuple[Replica, Replica], stores: tuple[IdentityStore, UserStore, Sessions]
) -> None:
    one, two = replicas
    identity, users, sessions = stores
    identity.create_team("融資部")
    admin = identity.create_key(KeySpec("admin", admin=True))[1].key
    made, secret = identity.create_key(KeySpec("revoked"))
    assert one.chat(secret.key) == two.chat(secret.key) == 200
    assert one.admin("DELETE", f"keys/{made.id}", admin).status_code == 200
    refused_after_a_second(two, secret.key, 401)

    user = users.create(UserSpec("left", team="融資部", password=PASSWORD))
    token = sessions.sign_in("left", PASSWORD).secret.key
    assert one.chat(token) == two.chat(token) == 200
    assert one.admin("DELETE", f"users/{user.id}", admin).json()["state"] == "disabled"
    refused_after_a_second(two, token, 401)

    of_team = identity.create_key(KeySpec("of team", team="融資部"))[1].key
    assert one.chat(of_team) == two.chat(of_team) == 200
    assert one.admin("PATCH", "teams/融資部", admin, surfaces=["embeddings"]).status_code == 200
    refused_after_a_second(two, of_team, 403)


def test_guesses_are_counted_over_all_replicas(stores: tuple[IdentityStore, UserStore, Sessions]) -> None:
    """PostgreSQL's own locks: SQLite's are tried in test_gateway_people. The clock stands still: no wait ends."""
    identity, users, _ = stores
    now = datetime.now(UTC)
    sessions = Sessions(identity.engine, identity, users, hours=1, clock=lambda: now)

    def guess(number: int) -> type[Exception]:
        with pytest.raises((Unauthorized, RateLimited)) as caught:
            sessions.sign_in("nobody", f"guess {number}")
        return caught.type

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(guess, range(10))).count(Unauthorized) == FREE_FAILURES + 1
