"""Where audit entries lie: SQL tables (SQLite or PostgreSQL). Synchronous: called in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError as DuplicateRow
from sqlalchemy.exc import SQLAlchemyError

from gateway.audit.tables import CHECKPOINTS, ENTRIES, KEYS, SEARCHED
from gateway.storage.schema import prepare
from kakehashi.errors import NotReady

T = TypeVar("T")


class StoreUnavailable(NotReady):
    """The audit database did not take the records."""

    default_code = "audit_unavailable"


@dataclass(frozen=True, slots=True)
class Row:
    """One stored entry. ``entry`` is the canonical JSON text that the chain covers; ``columns``: see ``SEARCHED``."""

    writer: str
    seq: int
    request_id: str
    time: str
    kind: str
    entry: str
    hash: str
    body: bytes | None
    columns: tuple[str | None, ...] = (None,) * len(SEARCHED)

    def values(self) -> tuple[Any, ...]:
        return (
            self.writer, self.seq, self.request_id, self.time, self.kind, self.entry, self.hash, self.body,
            *self.columns,
        )  # fmt: skip


def row_of(found: Sequence[Any]) -> Row:
    """A row from all columns of ``audit_entries``."""
    writer, seq, request_id, time, kind, entry, digest, body, *columns = found
    return Row(writer, seq, request_id, time, kind, entry, digest, body, tuple(columns))


def open_engine(url: str) -> sa.Engine:
    """An engine for the audit tables; SQLite in WAL mode with a full sync at each commit (durable means on disk)."""
    sqlite = url.startswith("sqlite")
    engine = sa.create_engine(url) if sqlite else sa.create_engine(url, pool_pre_ping=True, pool_size=2)
    if sqlite:

        @sa.event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA busy_timeout=10000")
            connection.execute("PRAGMA secure_delete=ON")  # erased keys do not stay behind in freed pages

    return engine


class AuditStore:
    """Append and read. Entries are never updated; only bodies and data keys are erased, by retention.

    Appending keeps one connection open, so it belongs to one thread at a time; reading takes one from the pool.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._appending: sa.Connection | None = None
        marks = ", ".join(["?" if engine.dialect.name == "sqlite" else "%s"] * len(ENTRIES.columns))
        self._insert = f"INSERT INTO audit_entries ({', '.join(ENTRIES.columns.keys())}) VALUES ({marks})"  # noqa: S608 - fixed names

    def create(self) -> None:
        """Make or migrate the tables. Raises StoreUnavailable, and ConfigError for a schema that does not fit."""
        try:
            prepare(self.engine)
        except NotReady as error:
            raise StoreUnavailable(f"The audit tables cannot be opened: {error.message}") from error

    def append(
        self,
        rows: Sequence[Row],
        checkpoint: tuple[str, int, str, str] | None = None,
        also: Callable[[sa.Connection], None] | None = None,
    ) -> None:
        """Store the rows in one transaction; ``also`` stores more in it. Raises StoreUnavailable; then none is stored."""
        try:
            connection = self._appending or self.engine.connect()
            self._appending = connection
            with connection.begin():
                connection.exec_driver_sql(self._insert, [row.values() for row in rows])
                if checkpoint:
                    names = ("writer", "seq", "hash", "signature")
                    connection.execute(sa.insert(CHECKPOINTS), [dict(zip(names, checkpoint, strict=True))])
                if also:
                    also(connection)
        except SQLAlchemyError as error:
            self.let_go()
            raise StoreUnavailable(f"The audit record cannot be stored: {type(error).__name__}.") from error

    def let_go(self) -> None:
        """Give the appending connection back; the next append takes a fresh one."""
        connection, self._appending = self._appending, None
        if connection is not None:
            try:
                connection.close()
            except SQLAlchemyError:
                connection.invalidate()  # it is broken already: nothing to give back

    def last(self, writer: str) -> Row | None:
        query = sa.select(ENTRIES).where(ENTRIES.c.writer == writer).order_by(ENTRIES.c.seq.desc()).limit(1)
        return self._row(query)

    def entry(self, writer: str, seq: int) -> Row | None:
        return self._row(sa.select(ENTRIES).where(ENTRIES.c.writer == writer, ENTRIES.c.seq == seq))

    def _row(self, query: sa.Select[Any]) -> Row | None:
        found = self.read(lambda connection: connection.execute(query).first())
        return row_of(found) if found else None

    def read(self, question: Callable[[sa.Connection], T]) -> T:
        """Raises StoreUnavailable when the database does not answer."""
        try:
            with self.engine.connect() as connection:
                return question(connection)
        except SQLAlchemyError as error:
            raise StoreUnavailable(f"The audit log cannot be read: {type(error).__name__}.") from error

    def writers(self) -> list[str]:
        """The names of all chains, one look into the primary key each (DISTINCT would read every entry)."""
        found: list[str] = []
        query = sa.select(sa.func.min(ENTRIES.c.writer)).where(ENTRIES.c.writer > sa.bindparam("after"))
        with self.engine.connect() as connection:
            while name := connection.execute(query, {"after": found[-1] if found else ""}).scalar():
                found.append(name)
        return found

    def count(self) -> int:
        """How many entries there are, by the numbers of each chain: counting rows would read them all."""
        ends = sa.select(sa.func.min(ENTRIES.c.seq), sa.func.max(ENTRIES.c.seq)).group_by(ENTRIES.c.writer)
        return sum(last - first + 1 for first, last in self.read(lambda connection: connection.execute(ends).all()))

    def rows(self, writer: str) -> Iterator[Row]:
        """All rows of a writer in the order of their numbers, as a stream."""
        query = sa.select(ENTRIES).where(ENTRIES.c.writer == writer).order_by(ENTRIES.c.seq)
        with self.engine.connect().execution_options(yield_per=500) as connection:
            for found in connection.execute(query):
                yield row_of(found)

    def checkpoints(self, writer: str) -> list[tuple[int, str, str]]:
        table = CHECKPOINTS.c
        query = sa.select(table.seq, table.hash, table.signature).where(table.writer == writer).order_by(table.seq)
        with self.engine.connect() as connection:
            return [(seq, digest, signature) for seq, digest, signature in connection.execute(query)]

    def data_key(self, key_id: str) -> tuple[bool, bytes | None]:
        """Whether the key is known, and its wrapped form (None once erased)."""
        query = sa.select(KEYS.c.wrapped).where(KEYS.c.id == key_id)
        found = self.read(lambda connection: connection.execute(query).first())
        return (found is not None, found[0] if found else None)

    def some_data_key(self) -> tuple[str, bytes] | None:
        """The newest data key that is not erased, to see whether the master key fits."""
        query = sa.select(KEYS.c.id, KEYS.c.wrapped).where(KEYS.c.wrapped.is_not(None)).order_by(KEYS.c.day.desc())
        found = self.read(lambda connection: connection.execute(query.limit(1)).first())
        return (found[0], found[1]) if found else None

    def add_data_key(self, key_id: str, day: str, wrapped: bytes) -> None:
        """Store a new key; another writer may have been first, then its key stays."""
        try:
            with self.engine.begin() as connection:
                connection.execute(sa.insert(KEYS), [{"id": key_id, "day": day, "wrapped": wrapped}])
        except DuplicateRow:
            return
        except SQLAlchemyError as error:
            raise StoreUnavailable(f"The audit data key cannot be stored: {type(error).__name__}.") from error

    def find(self, *, request_ids: Sequence[str] = (), limit: int | None = None) -> list[Row]:
        """Rows of these requests (or all), newest last; ``limit`` keeps the newest. More: ``gateway.audit.search``."""
        query = sa.select(ENTRIES).order_by(ENTRIES.c.time.desc(), ENTRIES.c.writer, ENTRIES.c.seq.desc())
        if request_ids:
            query = query.where(ENTRIES.c.request_id.in_(request_ids))
        return self.read(lambda connection: [row_of(found) for found in connection.execute(query.limit(limit))])[::-1]
