"""Bring the schema to this version, or refuse to start on one that does not fit (litellm#23976, #15446).

A fresh database and the embedded SQLite file are migrated by themselves, under a lock, so that several processes may
start at once. Any other database is migrated on purpose: ``python -m gateway.storage upgrade``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gateway.audit import tables as audit_tables  # its tables join METADATA
from gateway.batches import tables as _batches  # noqa: F401 - METADATA must know them
from gateway.ledger import tables as _ledger  # noqa: F401 - METADATA must know them
from gateway.routing import tables as _routing  # noqa: F401 - METADATA must know them
from gateway.storage.tables import METADATA
from kakehashi.errors import ConfigError, NotReady

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "gateway_schema"
UPGRADE_HINT = "Back the database up, then run `python -m gateway.storage upgrade`."
# Made by earlier versions before there was a schema version; the step 0004 adopts them.
_ADOPTED = {audit_tables.ENTRIES.name, audit_tables.KEYS.name, audit_tables.CHECKPOINTS.name}
_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x6B616B65  # "kake": the advisory lock under which PostgreSQL is migrated


def prepare(engine: sa.Engine, *, upgrade: bool | None = None) -> None:
    """Make sure the schema fits this version of the code.

    ``upgrade``: migrate an older schema; by default only on SQLite. Raises ConfigError on a schema that is older and
    may not be migrated, newer, or not as its version says; NotReady when the database cannot be reached.
    """
    may_upgrade = engine.dialect.name == "sqlite" if upgrade is None else upgrade
    try:
        with _locked(engine) as connection:
            _prepare(connection, may_upgrade)
    except SQLAlchemyError as error:
        raise NotReady(
            f"The gateway's database cannot be opened ({type(error).__name__}).",
            hint="Check gateway.database_url, and that the database runs and takes connections.",
            code="database_unavailable",
        ) from error


def downgrade(engine: sa.Engine, revision: str) -> None:
    """Take the schema back to an earlier step (``0003``, ``base`` …). Raises ConfigError for one that is not there."""
    from alembic import command

    with _locked(engine) as connection:
        config, known = _config(connection), steps()
        if revision not in (*known, "base"):
            raise ConfigError(f"There is no step '{revision}' of the schema.", hint=f"Steps: {', '.join(known)}, base.")
        command.downgrade(config, revision)


def _prepare(connection: sa.Connection, may_upgrade: bool) -> None:
    known = steps()
    current = _current(connection)
    fresh = current is None and not _present(connection)
    if current is None and not fresh:
        raise ConfigError("The database holds tables of the gateway without a schema version.", hint=UPGRADE_HINT)
    if current is not None and current not in known:
        raise ConfigError(
            f"The database's schema ({current}) is newer than this version of Kakehashi ({known[0]}).",
            hint="Start the newer version, or restore the backup made before it.",
        )
    if current != known[0]:
        if not (fresh or may_upgrade):
            raise ConfigError(f"The database's schema is {current}; this version needs {known[0]}.", hint=UPGRADE_HINT)
        from alembic import command  # long to load, and only needed when there is something to do

        command.upgrade(_config(connection), "head")
    _check_columns(connection)


def steps() -> list[str]:
    """The schema's steps, newest first: ``migrations/versions/r0001_….py`` is step 0001."""
    return sorted((path.stem[1:5] for path in (_MIGRATIONS / "versions").glob("r[0-9]*_*.py")), reverse=True)


def _config(connection: sa.Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes.update(connection=connection, version_table=VERSION_TABLE)
    return config


def _current(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()  # noqa: S608
    return version


def _present(connection: sa.Connection) -> list[str]:
    existing = set(sa.inspect(connection).get_table_names())
    return [name for name in METADATA.tables if name in existing and name not in _ADOPTED]


def _check_columns(connection: sa.Connection) -> None:
    inspector = sa.inspect(connection)
    for table in METADATA.sorted_tables:
        columns = inspector.get_columns(table.name) if inspector.has_table(table.name) else []
        missing = sorted(set(table.columns.keys()) - {column["name"] for column in columns})
        if missing:
            raise ConfigError(
                f"Table {table.name} lacks {', '.join(missing)}, although its schema version says it has them.",
                hint="Restore the database from a backup.",
            )


@contextmanager
def _locked(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection in one transaction that no other process's migration can enter."""
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")
        return
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        yield connection
