"""The same behaviour on real stores: SQLite and PostgreSQL for identity."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from gateway.errors import Conflict, Unavailable
from gateway.identity.keys import KeySpec
from gateway.identity.store import IdentityStore
from gateway.storage.database import open_database
from gateway.storage.schema import prepare
from kakehashi.errors import ConfigError

POSTGRES = os.environ.get("KAKEHASHI_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")


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
