"""Filling the searched columns of entries that lack them. The chain covers the entries, not the columns."""

from __future__ import annotations

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gateway.audit.retention import Record
from gateway.audit.store import AuditStore, StoreUnavailable
from gateway.audit.tables import ENTRIES, SEARCHED, searched

_BATCH = 1000


def reindex(store: AuditStore, record: Record) -> int:
    """Fill the empty columns (NULL) of all chains; returns of how many entries. Recorded when there are any."""
    page = (
        sa.select(ENTRIES.c.writer, ENTRIES.c.seq, ENTRIES.c.kind, ENTRIES.c.entry)
        .where(ENTRIES.c.action.is_(None))
        .order_by(ENTRIES.c.writer, ENTRIES.c.seq)
        .limit(_BATCH)
    )
    change = (
        sa.update(ENTRIES)
        .where(ENTRIES.c.writer == sa.bindparam("_writer"), ENTRIES.c.seq == sa.bindparam("_seq"))
        .values({name: sa.bindparam(name) for name in SEARCHED})
    )
    count = 0
    while rows := store.read(lambda connection: connection.execute(page).all()):
        if not count:
            record("reindex", {})
        values = [{"_writer": r.writer, "_seq": r.seq, **_columns(r.kind, r.entry)} for r in rows]
        try:
            with store.engine.begin() as connection:
                connection.execute(change, values)
        except SQLAlchemyError as error:
            raise StoreUnavailable(f"The audit log cannot be changed: {type(error).__name__}.") from error
        count += len(rows)
    return count


def _columns(kind: str, entry: str) -> dict[str, str]:
    """An entry that cannot be read gets empty columns: ``verify`` names it anyway."""
    try:
        data = orjson.loads(entry)["data"]
        return dict(zip(SEARCHED, searched(kind, data), strict=True))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return dict.fromkeys(SEARCHED, "")
