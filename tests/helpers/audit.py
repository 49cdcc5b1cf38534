"""An audit log of a test's own: a home and a database, reopened as often as a test likes."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.audit.anchors import Checkpoint
from gateway.audit.crypto import Signer
from gateway.audit.log import AuditLog
from gateway.audit.record import Intent, Outcome
from gateway.audit.store import AuditStore, open_engine
from gateway.audit.verify import Options, Report, verify
from gateway.audit.writer import Draft, Heads, Writer
from kakehashi.paths import Home

POSTGRES = os.environ.get("KAKEHASHI_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/test")


def intent(request_id: str, team: str = "審査部", body: bytes = b"") -> Intent:
    return Intent(
        request_id=request_id,
        surface="chat",
        key_id="key_1",
        team=team,
        user="佐藤",
        app="minutes",
        job="j1",
        model="default",
        prompt="minutes.points@1",
        policy="default@1",
        profile="minutes",
        body=body,
    )


def outcome(request_id: str, body: bytes = b"") -> Outcome:
    return Outcome(request_id=request_id, outcome="ok", status=200, latency_ms=12.34567, ttft_ms=None, body=body)


class Setup:
    """A home and a database, reopened as often as a test likes."""

    def __init__(self, home: Home, url: str) -> None:
        self.home, self.url = home, url
        self.engine = open_engine(url)
        self.store = AuditStore(self.engine)

    def log(self, **options: bool) -> AuditLog:
        return AuditLog(self.url, self.home, **options)

    def verify(self, anchored: Iterable[Checkpoint] = (), options: Options | None = None) -> Report:
        return verify(self.store, Heads(self.home.root / "audit", self.signer).read(), self.signer, anchored, options)

    @property
    def signer(self) -> Signer:
        return Signer.open(self.home.secrets)

    def record(self, kind: str, data: dict[str, Any]) -> None:
        """Write an entry into a chain of the command line's."""
        writer = Writer(self.store, self.home, "cli")
        writer.append([Draft(kind, "", "", data)])
        writer.close()

    def sql(self, statement: sa.Executable) -> None:
        with self.engine.begin() as connection:
            connection.execute(statement)

    def write(self, count: int, role: str = "gateway") -> str:
        """Append ``count`` requests (intent and outcome each); give the writer's name."""
        self.store.create()
        writer = Writer(self.store, self.home, role)
        for number in range(count):
            request_id = f"{role}-{number}"
            writer.append([Draft("intent", request_id, "t", {"n": number}, b"question")])
            writer.append([Draft("outcome", request_id, "t", {"n": number}, b"answer")])
        name = writer.name
        writer.close()
        return name


@contextmanager
def schema_of_its_own() -> Iterator[str]:
    """The URL of a fresh schema in the test PostgreSQL, dropped afterwards. Skips where it does not run."""
    schema = f"audit_{secrets.token_hex(4)}"
    admin = sa.create_engine(POSTGRES)
    try:
        with admin.begin() as connection:
            connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    except sa.exc.OperationalError:
        pytest.skip("PostgreSQL is not running")
    yield f"{POSTGRES}?options=-csearch_path%3D{schema}"
    with admin.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))
    admin.dispose()
