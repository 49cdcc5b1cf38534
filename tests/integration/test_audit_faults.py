"""What a machine does to a log: power cuts, torn files, full disks, connections that break in the middle of a commit."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.audit.log import AuditLog, AuditUnavailable
from gateway.audit.store import AuditStore, StoreUnavailable
from gateway.audit.writer import Draft, Writer
from kakehashi.errors import ConfigError
from kakehashi.paths import Home
from tests.helpers.audit import Setup, intent, outcome, schema_of_its_own


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Setup]:
    home = Home(tmp_path / "home").make()
    made = Setup(home, f"sqlite:///{home.gateway_db}")
    yield made
    made.engine.dispose()


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Setup]:
    with schema_of_its_own() as url:
        made = Setup(Home(tmp_path / "home").make(), url)
        yield made
        made.engine.dispose()


def fill(setup: Setup, entries: int, *, close: bool = True) -> Writer:
    setup.store.create()
    writer = Writer(setup.store, setup.home, "gateway")
    for number in range(entries):
        writer.append([Draft("event", f"e{number}", "t", {"n": number, "text": "x" * 400})])
    if close:
        writer.close()
    return writer


def closed_file(setup: Setup) -> Path:
    """The database as one file: everything of the write-ahead log is in it."""
    setup.engine.dispose()
    with sqlite3.connect(setup.home.gateway_db) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return setup.home.gateway_db


def tear(path: Path, page: int, change: Callable[[bytes], bytes]) -> None:
    """Change one 4-kB page of the file."""
    data = bytearray(path.read_bytes())
    start = page * 4096
    data[start : start + 4096] = change(bytes(data[start : start + 4096]))
    path.write_bytes(data)


def pages_with(path: Path, text: bytes) -> list[int]:
    data = path.read_bytes()
    return [page for page in range(len(data) // 4096) if text in data[page * 4096 : page * 4096 + 4096]]


def test_a_page_that_was_half_written_is_found_and_named(sqlite: Setup) -> None:
    fill(sqlite, 60)
    path = closed_file(sqlite)
    before = path.read_bytes()
    page = pages_with(path, b'"n":30,')[0]
    tear(path, page, lambda content: content[:2048] + bytes(2048))
    report = sqlite.verify()
    assert report.problems, "half a page of zeros"
    assert any("changed" in p.what or "differs" in p.what or "cannot be read" in p.what for p in report.problems)
    torn = path.read_bytes()
    sqlite.verify()
    sqlite.engine.dispose()
    assert path.read_bytes() == torn != before, "verifying repairs nothing"


def test_a_file_cut_short_is_found_and_what_is_before_is_still_checked(sqlite: Setup) -> None:
    fill(sqlite, 200)
    path = closed_file(sqlite)
    page = pages_with(path, b'"n":150,')[0]
    tear(path, page, lambda content: b"\xff" * 4096)
    report = sqlite.verify()
    [damage] = [p for p in report.problems if "database is damaged" in p.what]
    assert 100 < damage.seq <= 152 and report.entries >= damage.seq - 1


def test_a_cut_write_ahead_log_loses_its_end_and_the_head_tells(sqlite: Setup, tmp_path: Path) -> None:
    writer = fill(sqlite, 30, close=False)
    folder, copy = sqlite.home.root, tmp_path / "after the power cut"
    shutil.copytree(folder, copy)  # while it is open: the file, its log and the head as they are now
    writer.close()
    wal = copy / "gateway.db-wal"
    assert wal.stat().st_size > 20_000
    wal.write_bytes(wal.read_bytes()[:-9000])
    torn = Setup(Home(copy), f"sqlite:///{copy / 'gateway.db'}")
    [problem] = torn.verify().problems
    assert "cut off the end" in problem.what and "31" in problem.what
    other = Writer(torn.store, torn.home, "gateway")
    assert other.name != writer.name, "the next process does not write over the evidence"
    other.close()
    torn.engine.dispose()


def test_a_row_that_was_half_written_is_found(setup: Setup) -> None:
    writer = setup.write(3)
    row = setup.store.entry(writer, 4)
    assert row is not None
    with setup.engine.begin() as connection:
        half = {"e": row.entry[: len(row.entry) // 2], "s": 4}
        connection.execute(sa.text("UPDATE audit_entries SET entry = :e WHERE seq = :s"), half)
    assert any(p.seq == 4 and "changed" in p.what for p in setup.verify().problems)


class Confirming(AuditStore):
    """A store whose connection breaks right after a commit, before the confirmation arrives."""

    broken = False

    def append(self, *arguments: Any, **named: Any) -> None:
        super().append(*arguments, **named)
        if self.broken:
            raise StoreUnavailable("The connection broke.")


def test_a_commit_whose_confirmation_was_lost_does_not_stop_the_chain(setup: Setup) -> None:
    store = Confirming(setup.engine)
    store.create()
    writer = Writer(store, setup.home, "gateway")
    store.broken = True
    with pytest.raises(StoreUnavailable):
        writer.append([Draft("event", "lost", "t", {})])
    store.broken = False
    writer.append([Draft("event", "next", "t", {})])
    writer.close()
    report = setup.verify()
    assert report.problems == [] and report.entries == 3, "what was committed is part of the chain"


def test_a_chain_that_somebody_else_went_on_with_is_not_written(setup: Setup) -> None:
    setup.store.create()
    writer = Writer(setup.store, setup.home, "gateway")
    row = setup.store.last(writer.name)
    assert row is not None
    with setup.engine.begin() as connection:
        sql = (
            "INSERT INTO audit_entries (writer, seq, request_id, time, kind, entry, hash) "
            "SELECT writer, 2, '', time, kind, entry, hash FROM audit_entries"
        )
        connection.execute(sa.text(sql))
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            writer.append([Draft("event", "e", "t", {})])
    assert not setup.verify().ok


async def test_a_full_disk_refuses_and_comes_back_by_itself(sqlite: Setup) -> None:
    log = sqlite.log()
    await log.start()
    await log.intent(intent("before"))
    connection = log.chain.store._appending
    assert connection is not None
    limited = connection.exec_driver_sql("PRAGMA page_count").scalar()
    connection.rollback()

    def limit(engine: sa.Engine, pages: int) -> None:
        def set_limit(raw: Any, _: Any) -> None:
            raw.execute(f"PRAGMA max_page_count={pages}")

        sa.event.listen(engine, "connect", set_limit)
        engine.dispose()

    limit(log.chain.store.engine, int(limited or 0) + 2)
    await asyncio.get_running_loop().run_in_executor(log._thread, log.chain.store.let_go)
    refused = 0
    for number in range(20):
        try:
            await log.intent(intent(f"r{number}", body=b"y" * 5000))
        except AuditUnavailable as error:
            assert "OperationalError" in str(error)
            refused += 1
    assert refused > 10
    limit(log.chain.store.engine, 1_000_000)
    await log.intent(intent("after"))
    await log.outcome(outcome("after"))
    await log.close()
    report = sqlite.verify()
    assert report.problems == [] and "after" not in report.open_requests
    assert len(report.open_requests) == 1 + 20 - refused, "each request that was let in, and no other, is on record"


@pytest.mark.postgres
async def test_postgres_that_ends_our_connections_costs_a_refusal_at_most(postgres: Setup) -> None:
    name = f"cut_{secrets.token_hex(4)}"
    log = AuditLog(f"{postgres.url}&application_name={name}", postgres.home)
    await log.start()
    end = sa.text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = :name")
    kept, ended = [], 0
    for number in range(30):
        if number % 10 == 5:
            with postgres.engine.connect() as connection:
                ended += connection.execute(end, {"name": name}).scalar() or 0
        try:
            await log.intent(intent(f"r{number}"))
            kept.append(f"r{number}")
        except AuditUnavailable:
            continue
    await log.close()
    report = postgres.verify()
    assert report.problems == [] and set(kept) <= set(report.open_requests)
    assert ended >= 3 and len(kept) >= 27


@pytest.mark.postgres
async def test_postgres_gone_and_back_under_a_cut_line(postgres: Setup, tmp_path: Path) -> None:
    """A line that can be cut, also in the middle of a commit, between the log and the server."""
    line = Line()
    await line.open()
    url = sa.make_url(postgres.url).set(host="127.0.0.1", port=line.port)
    postgres.store.create()
    log = AuditLog(url.render_as_string(hide_password=False), postgres.home)
    await log.start()
    kept: list[str] = []
    refused = 0

    async def client(name: str) -> None:
        nonlocal refused
        for number in range(15):
            try:
                await log.intent(intent(f"{name}{number}", body=b"b" * 2000))
                kept.append(f"{name}{number}")
            except AuditUnavailable:
                refused += 1
            await asyncio.sleep(0.01)

    async def saboteur() -> None:
        for _ in range(3):
            await asyncio.sleep(0.03)
            await line.cut()
            await asyncio.sleep(0.03)
            await line.open()

    await asyncio.gather(saboteur(), *(client(name) for name in "abcd"))
    await log.intent(intent("last"))
    await log.close()
    await line.cut()
    report = postgres.verify()
    assert report.problems == []
    assert set(kept) | {"last"} <= set(report.open_requests), "what was confirmed is there"
    assert refused > 0


class Line:
    """A TCP line to PostgreSQL that can be cut and opened again on the same port."""

    def __init__(self) -> None:
        self.port = 0
        self._server: asyncio.Server | None = None
        self._ways: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server:
            self._server.close()
        for way in list(self._ways):
            way.transport.abort()
        await asyncio.sleep(0)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", 5432)
        self._ways |= {writer, back}
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer))
        self._ways -= {writer, back}

    @staticmethod
    async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        except ConnectionError:
            pass
        target.close()


def test_a_gateway_with_another_master_key_does_not_start(setup: Setup, tmp_path: Path) -> None:
    setup.write(1)
    other = Home(tmp_path / "other").make()
    with pytest.raises(ConfigError, match="audit-master"):
        Writer(setup.store, other, "gateway")


async def test_a_head_that_cannot_be_written_is_tried_until_it_can(sqlite: Setup) -> None:
    log = sqlite.log()
    await log.start()
    head = sqlite.home.root / "audit" / f"{log.chain.name}.head"
    async with asyncio.timeout(20):
        while not head.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    blocking = head.with_name(f".{log.chain.name}.tmp")
    blocking.mkdir()
    await log.intent(intent("r1"))
    await asyncio.sleep(0.6)
    blocking.rmdir()
    async with asyncio.timeout(20):
        while '"seq": 2' not in head.read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await log.close()
    assert sqlite.verify().ok
