"""Where DBOS keeps the state of jobs: SQLite in the app's job directory, or PostgreSQL by URL for several machines."""

from __future__ import annotations

import logging
import socket
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dbos import DBOSClient, DBOSConfig

# Fixed, so that an upgrade of our code does not strand jobs begun before it (DBOS runs only jobs of its own version).
VERSION = "1"
POLL_S = 0.5


@dataclass(frozen=True)
class JobDatabase:
    """``app`` names the application (3 characters or more, DBOS asks for it)."""

    app: str
    folder: Path
    url: str | None = None

    @property
    def address(self) -> str:
        return self.url or f"sqlite:///{self.folder / 'jobs.sqlite'}"

    def prepare(self) -> None:
        """Create the folder; let readers and the writer of SQLite work at the same time."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        logging.getLogger("dbos").setLevel(logging.WARNING)
        if self.url is None:
            with closing(sqlite3.connect(self.folder / "jobs.sqlite")) as connection:
                connection.execute("PRAGMA journal_mode=WAL")

    def config(self) -> DBOSConfig:
        """For the worker. No OpenTelemetry, no hosted console; below WARNING its log is about itself."""
        return DBOSConfig(
            name=self.app,
            system_database_url=self.address,
            application_version=VERSION,
            # A copy of a SQLite home on another machine must find its jobs again; many machines must not share a name.
            executor_id=socket.gethostname() if self.url else "local",
            log_level="WARNING",
            enable_otlp=False,
        )

    def client(self) -> DBOSClient:
        return DBOSClient(system_database_url=self.address, application_name=self.app)
