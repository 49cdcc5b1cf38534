"""Writing the ledger, on a connection whose transaction is somebody else's: the audit log's.

The statements go to the driver as they are: on this path, twice a request, compiling and binding them would cost most.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter

import sqlalchemy as sa

from gateway.ledger.entry import Entry, Opening, Settlement
from gateway.ledger.tables import LEDGER

# What a row says until it is settled; the columns have no defaults of the database's own.
_OPEN = {
    "state": "started", "upstream": "", "served": "", "outcome": "", "status": 0, "prompt_tokens": 0,
    "completion_tokens": 0, "audio_ms": 0, "micro_yen": 0, "exact": False,
}  # fmt: skip
_KEY = ("request_id", "attempt")
_SETTLED = tuple(name for name in Settlement.__slots__ if name not in _KEY)
_opened = attrgetter(*Opening.__slots__)
_settled = attrgetter(*_SETTLED, *_KEY)
_fixed = tuple(_OPEN.values())


@lru_cache
def _statements(place: str) -> tuple[str, str]:
    """Insert and update. ``place``: how the driver writes a parameter's place."""
    columns = (*Opening.__slots__, *_OPEN, "writer")
    quoted, places = ", ".join(f'"{name}"' for name in columns), ", ".join([place] * len(columns))
    changes = ", ".join(f'"{name}" = {place}' for name in _SETTLED)
    where = f"\"request_id\" = {place} AND \"attempt\" = {place} AND \"state\" = 'started'"
    return (
        f"INSERT INTO {LEDGER.name} ({quoted}) VALUES ({places})",  # noqa: S608 - names of our own columns
        f"UPDATE {LEDGER.name} SET \"state\" = 'settled', {changes} WHERE {where}",  # noqa: S608 - the same
    )


def write(connection: sa.Connection, entries: Sequence[Entry], writer: str) -> None:
    """Open and settle rows in the connection's transaction. ``writer``: the name of the audit chain's writer."""
    insert, settle = _statements("?" if connection.dialect.name == "sqlite" else "%s")
    end = (*_fixed, writer)
    openings = [_opened(entry) + end for entry in entries if isinstance(entry, Opening)]
    settlements = [_settled(entry) for entry in entries if isinstance(entry, Settlement)]
    if openings:
        connection.exec_driver_sql(insert, openings)
    if settlements:
        connection.exec_driver_sql(settle, settlements)
