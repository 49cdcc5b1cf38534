"""One SQLAlchemy engine per process. Calls are synchronous; the gateway makes them in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import Unavailable
from kakehashi.errors import ConfigError
from kakehashi.settings import Settings

# The hot path asks for a key at most every half second per key and process: a small pool is enough, and many replicas
# then stay under PostgreSQL's connection limit (litellm#18708, #14325).
POOL_SIZE = 4
CONNECT_TIMEOUT_S = 5


def database_url(settings: Settings) -> str:
    """The configured URL with its driver named; by default SQLite in KAKEHASHI_HOME."""
    url = settings.gateway.database_url
    if url is None:
        return f"sqlite:///{settings.home.make().gateway_db}"
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def open_database(url: str) -> sa.Engine:
    """The engine for a URL. Raises ConfigError for a URL that is not SQLite or PostgreSQL."""
    try:
        kind = sa.make_url(url).get_backend_name()
    except SQLAlchemyError:
        kind = ""
    if kind == "sqlite":
        return _open_sqlite(url)
    if kind == "postgresql":
        return sa.create_engine(
            url,
            pool_size=POOL_SIZE,
            max_overflow=POOL_SIZE,
            pool_timeout=CONNECT_TIMEOUT_S,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
        )
    raise ConfigError(
        "gateway.database_url must be a sqlite:///… or postgresql://… URL.",
        hint="Leave it out for the embedded SQLite database.",
    )


def _open_sqlite(url: str) -> sa.Engine:
    engine = sa.create_engine(url, pool_size=POOL_SIZE, connect_args={"timeout": 10})

    @sa.event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


@contextmanager
def available() -> Iterator[None]:
    """Turn database failures into a 503 that names no URL, host or SQL."""
    try:
        yield
    except sa.exc.IntegrityError:
        raise  # a broken constraint is the caller's business, not an outage
    except SQLAlchemyError as error:
        raise Unavailable(
            f"The gateway's database cannot be reached ({type(error).__name__}).", code="database_unavailable"
        ) from error
