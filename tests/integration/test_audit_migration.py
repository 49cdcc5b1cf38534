"""Audit tables that an earlier version made are adopted; their entries verify before and after, both ways."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.audit import search
from gateway.audit.chain import GENESIS, canonical, link
from gateway.audit.heads import Heads
from gateway.audit.reindex import reindex
from gateway.audit.search import Query
from gateway.audit.tables import ENTRIES, SEARCHED
from gateway.storage.schema import downgrade, prepare
from tests.helpers.audit import Setup

OLD_TABLES = """
CREATE TABLE audit_entries (writer VARCHAR(64) NOT NULL, seq BIGINT NOT NULL, request_id VARCHAR(80) NOT NULL,
  time VARCHAR(32) NOT NULL, kind VARCHAR(16) NOT NULL, entry TEXT NOT NULL, hash VARCHAR(64) NOT NULL, body {bytes},
  PRIMARY KEY (writer, seq));
CREATE INDEX ix_audit_entries_request_id ON audit_entries (request_id);
CREATE INDEX ix_audit_entries_time ON audit_entries (time);
CREATE TABLE audit_keys (id VARCHAR(160) NOT NULL PRIMARY KEY, day VARCHAR(10) NOT NULL, wrapped {bytes});
CREATE INDEX ix_audit_keys_day ON audit_keys (day);
CREATE TABLE audit_checkpoints (writer VARCHAR(64) NOT NULL, seq BIGINT NOT NULL, hash VARCHAR(64) NOT NULL,
  signature VARCHAR(128) NOT NULL, PRIMARY KEY (writer, seq))
"""
INTENT = {
    "surface": "chat", "key_id": "key_1", "team": "審査部", "user": "佐藤", "app": "minutes", "job": "j1", "model": "m",
    "prompt": "p@1", "policy": "default@1", "profile": "x", "stream": False,
}  # fmt: skip
OUTCOME = {
    "outcome": "blocked", "status": 400, "upstream_model": "qwen",
    "decisions": [{"rule": "pii.phone"}, {"rule": "injection.x"}, {"rule": "pii.phone"}],
}  # fmt: skip


def make_old(setup: Setup, requests: int = 3) -> str:
    """The tables and a chain of the version before Alembic knew of them: version 1 entries, no searched columns."""
    binary = "BYTEA" if setup.engine.dialect.name == "postgresql" else "BLOB"
    with setup.engine.begin() as connection:
        for statement in OLD_TABLES.format(bytes=binary).split(";"):
            connection.exec_driver_sql(statement)
        writer, previous, seq = "old-gateway-0", GENESIS, 0
        drafts = [("begin", "", {"signing_key": setup.signer.public_hex, "heads": {}})]
        for number in range(requests):
            drafts += [("intent", f"r{number}", INTENT), ("outcome", f"r{number}", OUTCOME)]
        for kind, request_id, data in drafts:
            seq += 1
            time = f"2026-11-0{min(seq, 9)}T00:00:00.000000Z"
            entry = canonical(
                {"v": 1, "writer": writer, "seq": seq, "time": time, "kind": kind, "request_id": request_id,
                 "data": data, "body": None}
            )  # fmt: skip
            previous = link(previous, entry)
            values = {"w": writer, "s": seq, "r": request_id, "t": time, "k": kind, "e": entry.decode(), "h": previous}
            insert = "INSERT INTO audit_entries VALUES (:w, :s, :r, :t, :k, :e, :h, NULL)"
            connection.execute(sa.text(insert), values)
    Heads(setup.home.root / "audit", setup.signer).write(writer, seq, previous)
    return writer


def columns(setup: Setup) -> set[str]:
    return {column["name"] for column in sa.inspect(setup.engine).get_columns("audit_entries")}


def test_tables_of_an_earlier_version_are_adopted_with_their_entries(setup: Setup) -> None:
    make_old(setup)
    prepare(setup.engine)
    assert setup.verify().problems == []
    found = search.find(setup.store, Query(user="佐藤", outcome="blocked", rule="pii.phone"))
    assert [rows[0].request_id for rows in found.results] == ["r2", "r1", "r0"]
    setup.write(1)
    assert setup.verify().ok


def test_the_schema_goes_back_and_forth_with_all_entries(setup: Setup) -> None:
    make_old(setup)
    setup.write(2)
    before = setup.verify()
    downgrade(setup.engine, "0003")
    assert not columns(setup) & set(SEARCHED)
    assert "audit_seals" not in sa.inspect(setup.engine).get_table_names()
    prepare(setup.engine, upgrade=True)
    after = setup.verify()
    assert after.problems == [] and after.entries == before.entries == 7 + 5
    assert len(search.find(setup.store, Query(team="審査部")).results) == 3


def test_entries_of_an_older_gateway_still_running_are_named_and_filled(setup: Setup) -> None:
    setup.write(2)
    row = setup.store.find(request_ids=["gateway-1"])[0]
    empty = dict.fromkeys(SEARCHED)
    setup.sql(sa.update(ENTRIES).where(ENTRIES.c.seq == row.seq).values(empty))
    [problem] = setup.verify().problems
    assert problem.seq == row.seq and "reindex" in problem.what
    assert reindex(setup.store, setup.record) == 1
    assert setup.verify().ok
    assert reindex(setup.store, setup.record) == 0
