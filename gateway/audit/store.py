"""Where audit entries lie: three SQL tables (SQLite or PostgreSQL). Synchronous: called in a thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError as DuplicateRow
from sqlalchemy.exc import SQLAlchemyError

from kakehashi.errors import NotReady

METADATA = sa.MetaData()

ENTRIES = sa.Table(
    "audit_entries",
    METADATA,
    sa.Column("writer", sa.String(64), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("request_id", sa.String(80), nullable=False, index=True),
    sa.Column("time", sa.String(32), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("entry", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=True),
)
KEYS = sa.Table(
    "audit_keys",
    METADATA,
    sa.Column("id", sa.String(160), primary_key=True),
    sa.Column("day", sa.String(10), nullable=False, index=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=True),
    comment="one data key per tenant and day; a null wrapped key is erased for good",
)
CHECKPOINTS = sa.Table(
    "audit_checkpoints",
    METADATA,
    sa.Column("writer", sa.String(64), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("signature", sa.String(128), nullable=False),
)


class StoreUnavailable(NotReady):
    """The audit database did not take the records."""

    default_code = "audit_unavailable"


@dataclass(frozen=True, slots=True)
class Row:
    """One stored entry. ``entry`` is the canonical JSON text that the chain covers."""

    writer: str
    seq: int
    request_id: str
    time: str
    kind: str
    entry: str
    hash: str
    body: bytes | None


def open_engine(url: str) -> sa.Engine:
    """An engine for the audit tables; SQLite in WAL mode with a full sync at each commit (durable means on disk)."""
    engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if url.startswith("sqlite"):

        @sa.event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA busy_timeout=10000")

    return engine


class AuditStore:
    """Append and read. Rows are never updated; only a body may be erased (set to null) by :meth:`erase_bodies`."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def create(self) -> None:
        try:
            METADATA.create_all(self.engine, checkfirst=True)
        except SQLAlchemyError as error:
            # Several processes may create the tables at once; the second attempt then finds them.
            try:
                METADATA.create_all(self.engine, checkfirst=True)
            except SQLAlchemyError:
                raise StoreUnavailable(f"The audit tables cannot be created: {type(error).__name__}.") from error

    def append(self, rows: Sequence[Row], checkpoint: tuple[str, int, str, str] | None = None) -> None:
        """Store the rows in one transaction. Raises StoreUnavailable; then none of them is stored."""
        values = [{name: getattr(row, name) for name in Row.__slots__} for row in rows]
        try:
            with self.engine.begin() as connection:
                connection.execute(sa.insert(ENTRIES), values)
                if checkpoint:
                    names = ("writer", "seq", "hash", "signature")
                    connection.execute(sa.insert(CHECKPOINTS), [dict(zip(names, checkpoint, strict=True))])
        except SQLAlchemyError as error:
            raise StoreUnavailable(f"The audit record cannot be stored: {type(error).__name__}.") from error

    def last(self, writer: str) -> Row | None:
        query = sa.select(ENTRIES).where(ENTRIES.c.writer == writer).order_by(ENTRIES.c.seq.desc()).limit(1)
        with self.engine.connect() as connection:
            found = connection.execute(query).first()
        return Row(*found) if found else None

    def writers(self) -> list[str]:
        query = sa.select(ENTRIES.c.writer).distinct().order_by(ENTRIES.c.writer)
        with self.engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def rows(self, writer: str) -> Iterator[Row]:
        """All rows of a writer in the order of their numbers, as a stream."""
        query = sa.select(ENTRIES).where(ENTRIES.c.writer == writer).order_by(ENTRIES.c.seq)
        with self.engine.connect().execution_options(yield_per=500) as connection:
            for found in connection.execute(query):
                yield Row(*found)

    def find(
        self,
        *,
        request_ids: Sequence[str] = (),
        since: str = "",
        until: str = "",
        action: str = "",
        limit: int | None = None,
    ) -> list[Row]:
        """Rows by request id, time (ISO, half open) and beginning of the action; newest last; ``limit`` keeps the newest.

        The action is found in the entry itself, which is canonical JSON: a column would have to be added to old
        archives before they could be read.
        """
        query = sa.select(ENTRIES).order_by(ENTRIES.c.time.desc(), ENTRIES.c.writer, ENTRIES.c.seq.desc())
        if request_ids:
            query = query.where(ENTRIES.c.request_id.in_(request_ids))
        if since:
            query = query.where(ENTRIES.c.time >= since)
        if until:
            query = query.where(ENTRIES.c.time < until)
        if action:
            written = orjson.dumps(action).decode().removesuffix('"')
            query = query.where(ENTRIES.c.entry.contains(f'"action":{written}', autoescape=True))
        with self.engine.connect() as connection:
            return [Row(*found) for found in connection.execute(query.limit(limit))][::-1]

    def checkpoints(self, writer: str) -> list[tuple[int, str, str]]:
        table = CHECKPOINTS.c
        query = sa.select(table.seq, table.hash, table.signature).where(table.writer == writer).order_by(table.seq)
        with self.engine.connect() as connection:
            return [(seq, digest, signature) for seq, digest, signature in connection.execute(query)]

    def data_key(self, key_id: str) -> tuple[bool, bytes | None]:
        """Whether the key is known, and its wrapped form (None once erased)."""
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(KEYS.c.wrapped).where(KEYS.c.id == key_id)).first()
        return (found is not None, found[0] if found else None)

    def add_data_key(self, key_id: str, day: str, wrapped: bytes) -> None:
        """Store a new key; another writer may have been first, then its key stays."""
        try:
            with self.engine.begin() as connection:
                connection.execute(sa.insert(KEYS), [{"id": key_id, "day": day, "wrapped": wrapped}])
        except DuplicateRow:
            return
        except SQLAlchemyError as error:
            raise StoreUnavailable(f"The audit data key cannot be stored: {type(error).__name__}.") from error

    def keys_before(self, day: str, tenant: str = "") -> list[str]:
        """Ids of live data keys of days before ``day`` (ISO date), of one tenant or all."""
        query = sa.select(KEYS.c.id).where(KEYS.c.day < day, KEYS.c.wrapped.is_not(None)).order_by(KEYS.c.id)
        with self.engine.connect() as connection:
            found = list(connection.execute(query).scalars())
        return [key for key in found if not tenant or key.rpartition("/")[0] == tenant]

    def erase_keys(self, key_ids: Sequence[str]) -> None:
        """Forget data keys for good: what they encrypted can never be read again."""
        with self.engine.begin() as connection:
            connection.execute(sa.update(KEYS).where(KEYS.c.id.in_(key_ids)).values(wrapped=None))
