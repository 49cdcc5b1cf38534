"""The same behaviour on real stores: SQLite and PostgreSQL for identity, memory and Redis for limits."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
import sqlalchemy as sa

from gateway.errors import Conflict, Unavailable
from gateway.identity.keys import KeySpec
from gateway.identity.store import IdentityStore
from gateway.limits.memory import MemoryLimits
from gateway.limits.shared import RedisLimits
from gateway.limits.window import Level, LimitStore, Refusal, Reservation
from gateway.storage.database import open_database
from gateway.storage.schema import prepare
from kakehashi.errors import ConfigError

POSTGRES = os.environ.get("KAKEHASHI_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("KAKEHASHI_TEST_REDIS", "redis://127.0.0.1:6379/15")


@pytest.fixture
def postgres() -> Iterator[str]:
    """A schema of its own in the test database, dropped afterwards."""
    plain = POSTGRES.replace("postgresql+psycopg", "postgresql")
    try:
        connection = psycopg.connect(plain, autocommit=True, connect_timeout=2)
    except psycopg.OperationalError as error:
        pytest.skip(f"PostgreSQL does not run here ({POSTGRES}): {error}")
    name = f"kakehashi_{uuid.uuid4().hex[:12]}"
    with connection:
        connection.execute(f"CREATE SCHEMA {name}")
        yield f"{POSTGRES}?options=-csearch_path%3D{name}"
        connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    url = f"sqlite:///{tmp_path}/g.db" if request.param == "sqlite" else request.getfixturevalue("postgres")
    engine = open_database(url)
    yield engine
    engine.dispose()


def test_identity_behaves_the_same(engine: sa.Engine) -> None:
    prepare(engine)
    prepare(engine)
    store = IdentityStore(engine)
    store.create_team("営業部")
    with pytest.raises(Conflict):
        store.create_team("営業部")
    made, secret = store.create_key(KeySpec("日本語", "営業部", ("a",), "strict", 5, 500, True))
    assert store.find_by_digest(secret.digest) == made
    assert made.created_at.tzinfo is not None and made.models == frozenset({"a"})
    store.revoke_key(made.id)
    assert store.keys(team="営業部")[0].revoked_at is not None
    with pytest.raises(Conflict):
        store.delete_team("営業部")
    store.ping()


def test_a_schema_that_does_not_fit_is_refused(engine: sa.Engine) -> None:
    prepare(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE gateway_schema SET version_num = '9999'")
    with pytest.raises(ConfigError, match="newer"):
        prepare(engine)


def test_a_database_that_is_gone_is_said_without_its_address() -> None:
    engine = open_database("postgresql+psycopg://someuser:secretpw@127.0.0.1:1/db")
    with pytest.raises(Unavailable) as caught:
        IdentityStore(engine).ping()
    assert "secretpw" not in str(caught.value) and "someuser" not in str(caught.value)
    assert (caught.value.status, caught.value.code) == (503, "database_unavailable")
    engine.dispose()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def limits(request: pytest.FixtureRequest) -> AsyncIterator[LimitStore]:
    store: LimitStore = MemoryLimits()
    if request.param == "redis":
        try:
            redis.Redis.from_url(REDIS, socket_connect_timeout=2).ping()
        except redis.ConnectionError as error:
            pytest.skip(f"Redis does not run here ({REDIS}): {error}")
        store = RedisLimits(REDIS)
    yield store
    await store.close()


def level(rpm: int | None = None, tpm: int | None = None) -> Level:
    return Level(f"test:{uuid.uuid4().hex}", rpm, tpm)


async def test_limits_reserve_and_settle(limits: LimitStore) -> None:
    now, one = time.time(), level(tpm=100)
    first = await limits.reserve([one], 80, now)
    assert isinstance(first, Reservation) and (first.used[0].requests, first.used[0].tokens) == (1, 80)
    refused = await limits.reserve([one], 30, now)
    assert isinstance(refused, Refusal) and (refused.kind, refused.level) == ("tokens", one)
    await limits.settle(first, 10)
    second = await limits.reserve([one], 90, now)
    assert isinstance(second, Reservation) and second.used[0].tokens == 100
    assert isinstance(await limits.reserve([one], 90, now + 60), Reservation)


async def test_limits_never_overshoot_under_two_hundred_at_once(limits: LimitStore) -> None:
    now, one = time.time(), level(rpm=37)
    outcomes = await asyncio.gather(*(limits.reserve([one], 1, now) for _ in range(200)))
    assert sum(isinstance(outcome, Reservation) for outcome in outcomes) == 37


async def test_limits_take_all_levels_or_none(limits: LimitStore) -> None:
    now, wide, narrow = time.time(), level(rpm=10), level(rpm=1)
    assert isinstance(await limits.reserve([wide, narrow], 1, now), Reservation)
    refusal = await limits.reserve([wide, narrow], 1, now)
    assert isinstance(refusal, Refusal) and refusal.kind == "requests"
    assert [used.requests for used in refusal.used] == [1, 1]


async def test_settling_what_is_long_over_makes_no_row(limits: LimitStore) -> None:
    now, one = time.time(), level(tpm=100)
    await limits.settle(Reservation((one,), int(now) // 60 * 60 - 600, 50, ()), 90)
    fresh = await limits.reserve([one], 100, now)
    assert isinstance(fresh, Reservation)


@pytest.mark.redis
async def test_replicas_share_their_windows(limits: LimitStore) -> None:
    if isinstance(limits, MemoryLimits):
        return  # one process only, by its nature
    other = RedisLimits(REDIS)
    now, one = time.time(), level(rpm=1)
    assert isinstance(await limits.reserve([one], 1, now), Reservation)
    assert isinstance(await other.reserve([one], 1, now), Refusal)
    await other.close()


async def test_redis_that_is_gone_refuses_rather_than_forgets() -> None:
    store = RedisLimits("redis://127.0.0.1:1/0")
    for ask in (store.ping(), store.reserve([level(rpm=1)], 1, time.time())):
        with pytest.raises(Unavailable) as caught:
            await ask
        assert caught.value.code == "limits_unavailable"
    await store.close()
