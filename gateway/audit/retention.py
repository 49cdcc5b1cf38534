"""Deleting what need not, or may not, be kept. Every deletion is written into a chain before it is done.

Three grains: the bodies of a tenant's day (its data key is erased: nothing that was encrypted with it can be read again,
not even from a backup of the entries), the bodies of single requests (their ciphertext is removed), and whole entries
from the beginning of a chain (a signed seal stands in their place). Legal holds stop all three.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gateway.audit.clock import stamp
from gateway.audit.crypto import Signer
from gateway.audit.search import Query, pages
from gateway.audit.store import AuditStore, StoreUnavailable
from gateway.audit.tables import CHECKPOINTS, ENTRIES, HOLDS, KEYS, SEALS
from kakehashi.errors import BadInput, UsageError

Record = Callable[[str, dict[str, Any]], None]
"""Writes an entry (kind, data) durably, or raises StoreUnavailable."""

_BATCH = 1000  # rows a transaction: the gateway's own commits wait no longer than for one


@dataclass(frozen=True, slots=True)
class Hold:
    """What must be kept until further notice. ``tenant`` "": all; days are ISO dates, both included."""

    id: str
    tenant: str
    first_day: str
    last_day: str
    reason: str
    created_at: str
    created_by: str
    released_at: str | None = None

    def covers(self, tenant: str, day: str) -> bool:
        return self.tenant in ("", tenant) and self.first_day <= day <= self.last_day


def seal_message(writer: str, seq: int, digest: str, until: str, sealed_at: str) -> bytes:
    """What a seal's signature covers."""
    return f"kakehashi audit seal\n{writer}\n{seq}\n{digest}\n{until}\n{sealed_at}".encode()


# -- holds ------------------------------------------------------------------------------------------------------------


def holds(store: AuditStore, *, released: bool = False) -> list[Hold]:
    """The holds in force; with ``released`` those of the past too."""
    query = sa.select(HOLDS).order_by(HOLDS.c.created_at)
    if not released:
        query = query.where(HOLDS.c.released_at.is_(None))
    return store.read(lambda connection: [Hold(*found) for found in connection.execute(query)])


def add_hold(
    store: AuditStore, record: Record, *, tenant: str, first_day: str, last_day: str, reason: str, by: str
) -> Hold:
    """Put a hold on the bodies and entries of these days. Raises UsageError, StoreUnavailable."""
    if last_day < first_day:
        raise UsageError("A hold's last day lies before its first.")
    hold = Hold(f"hold_{secrets.token_hex(6)}", tenant, first_day, last_day, reason, _now(), by)
    record("hold", {"action": "audit.hold.add", "target": hold.id, **asdict(hold)})
    _write(store, sa.insert(HOLDS).values(**asdict(hold)))
    return hold


def release_hold(store: AuditStore, record: Record, hold_id: str, by: str) -> None:
    """Raises BadInput when there is no such hold in force."""
    if hold_id not in [hold.id for hold in holds(store)]:
        raise BadInput(f"There is no hold '{hold_id}' in force.", hint="`kakehashi audit hold list` shows them.")
    record("hold", {"action": "audit.hold.release", "target": hold_id, "by": by})
    _write(store, sa.update(HOLDS).where(HOLDS.c.id == hold_id).values(released_at=_now()))


# -- bodies of whole days ---------------------------------------------------------------------------------------------


def keys_before(store: AuditStore, day: str, tenant: str = "") -> list[str]:
    """Ids of the live data keys of days before ``day``, of one tenant or all, without those on hold."""
    query = sa.select(KEYS.c.id, KEYS.c.day).where(KEYS.c.day < day, KEYS.c.wrapped.is_not(None)).order_by(KEYS.c.id)
    found = store.read(lambda connection: connection.execute(query).all())
    in_force = holds(store)
    return [
        key_id
        for key_id, key_day in found
        if (not tenant or tenant_of(key_id) == tenant)
        and not any(hold.covers(tenant_of(key_id), key_day) for hold in in_force)
    ]


def tenant_of(key_id: str) -> str:
    """The tenant in a data key's id (``tenant/day``); "" for bodies without a tenant."""
    tenant = key_id.rpartition("/")[0]
    return "" if tenant == "-" else tenant


def erase_keys(store: AuditStore, key_ids: Sequence[str]) -> None:
    """Forget data keys for good: what they encrypted can never be read again. SQLite also empties its log."""
    for some in _batches(key_ids):
        _write(store, sa.update(KEYS).where(KEYS.c.id.in_(some)).values(wrapped=None))
    if store.engine.dialect.name == "sqlite":
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def purge(store: AuditStore, record: Record, before: str, tenant: str = "") -> list[str]:
    """Erase the keys of all days before ``before``, then remove the ciphertext. Returns the ids of the keys."""
    keys = keys_before(store, before, tenant)
    if keys:
        record("purge", {"keys": keys})
        erase_keys(store, keys)
        _reclaim(store, keys)
    return keys


def _reclaim(store: AuditStore, keys: Sequence[str]) -> None:
    """Remove bodies that nobody can read any more: they only take space."""
    erased, days = set(keys), [key.rpartition("/")[2][:10] for key in keys]
    page = (
        sa.select(ENTRIES.c.time, ENTRIES.c.writer, ENTRIES.c.seq, ENTRIES.c.entry)
        .where(ENTRIES.c.time >= sa.bindparam("since"), ENTRIES.c.time < f"{max(days)}U", ENTRIES.c.body.is_not(None))
        .where(
            sa.tuple_(ENTRIES.c.time, ENTRIES.c.writer, ENTRIES.c.seq)
            > sa.tuple_(sa.bindparam("since"), sa.bindparam("writer"), sa.bindparam("seq"))
        )
        .order_by(ENTRIES.c.time, ENTRIES.c.writer, ENTRIES.c.seq)
        .limit(_BATCH)
    )
    at = {"since": min(days), "writer": "", "seq": 0}
    while rows := store.read(lambda connection, at=at: connection.execute(page, at).all()):  # type: ignore[misc]
        _drop_bodies(store, [(row.writer, row.seq) for row in rows if _body_key(row.entry) in erased])
        at = {"since": rows[-1].time, "writer": rows[-1].writer, "seq": rows[-1].seq}


def _body_key(entry: str) -> str:
    try:
        described = orjson.loads(entry)["body"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return str(described.get("key")) if isinstance(described, dict) else ""


def _drop_bodies(store: AuditStore, places: Sequence[tuple[str, int]]) -> None:
    statement = (
        sa.update(ENTRIES)
        .where(ENTRIES.c.writer == sa.bindparam("_writer"), ENTRIES.c.seq == sa.bindparam("_seq"))
        .values(body=None)
    )
    if places:
        _write(store, statement, values=[{"_writer": writer, "_seq": seq} for writer, seq in places])


# -- bodies of single requests ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Erased:
    """How many bodies were removed, and how many stay because of a hold."""

    bodies: int
    held: int


def erase(store: AuditStore, record: Record, query: Query, reason: str) -> Erased:
    """Remove the bodies of the requests a query finds (those of one person, or one request).

    Their records stay. Unlike the erasure of a day's key this does not reach copies: a backup of the database made
    before still holds the ciphertext, readable until the key of that tenant's day is erased.
    """
    in_force, bodies, held = holds(store), 0, 0
    for page in pages(store, query):
        places: list[tuple[str, int]] = []
        for row in (row for rows in page for row in rows if row.body is not None):
            owner = tenant_of(_body_key(row.entry))
            if any(hold.covers(owner, row.time[:10]) for hold in in_force):
                held += 1
            else:
                places.append((row.writer, row.seq))
        if places:
            record("erase", {"reason": reason, "entries": [list(place) for place in places]})
            _drop_bodies(store, places)
            bodies += len(places)
    return Erased(bodies, held)


# -- whole entries ----------------------------------------------------------------------------------------------------


def seal_before(store: AuditStore, record: Record, signer: Signer, day: str) -> dict[str, int]:
    """Remove the entries of days before ``day`` from the beginning of each chain, up to the first that must stay.

    A signed seal takes their place: the number and hash after which the chain goes on. The last entry of a chain always
    stays, and so does all that comes after the first day of a legal hold. Returns how many were removed from each chain.
    """
    cutoff = min([day, *(hold.first_day for hold in holds(store))])
    removed = {}
    for writer in store.writers():
        first, end = _span(store, writer, cutoff)
        if end < first:
            continue
        record("seal", {"writer": writer, "first": first, "last": end, "before": cutoff})
        for upto in [*range(first + _BATCH - 1, end, _BATCH), end]:
            _seal(store, signer, writer, upto)
        removed[writer] = end - first + 1
    return removed


def _span(store: AuditStore, writer: str, cutoff: str) -> tuple[int, int]:
    """The first and the last number to remove; the last is smaller when there is nothing."""
    mine = ENTRIES.c.writer == writer
    ends = sa.select(sa.func.min(ENTRIES.c.seq), sa.func.max(ENTRIES.c.seq)).where(mine)
    stays = sa.select(sa.func.min(ENTRIES.c.seq)).where(mine, ENTRIES.c.time >= cutoff)

    def ask(connection: sa.Connection) -> tuple[int, int]:
        first, last = connection.execute(ends).one()
        stop = connection.execute(stays).scalar()
        return first, min(last, stop if stop is not None else last) - 1

    return store.read(ask)


def _seal(store: AuditStore, signer: Signer, writer: str, upto: int) -> None:
    """Put the seal at ``upto`` and remove what it stands for, in one transaction."""
    row = store.entry(writer, upto)
    if row is None:
        raise StoreUnavailable(f"Entry {upto} of {writer} is missing; run `kakehashi audit verify`.")
    sealed_at = _now()
    signature = signer.sign(seal_message(writer, upto, row.hash, row.time, sealed_at))
    values = {"writer": writer, "seq": upto, "hash": row.hash, "until": row.time}
    _write(
        store,
        sa.delete(SEALS).where(SEALS.c.writer == writer),
        sa.insert(SEALS).values(**values, sealed_at=sealed_at, signature=signature),
        sa.delete(CHECKPOINTS).where(CHECKPOINTS.c.writer == writer, CHECKPOINTS.c.seq <= upto),
        sa.delete(ENTRIES).where(ENTRIES.c.writer == writer, ENTRIES.c.seq <= upto),
    )


# -- helpers ----------------------------------------------------------------------------------------------------------


def _write(store: AuditStore, *statements: sa.Executable, values: Sequence[dict[str, Any]] | None = None) -> None:
    """Statements in one transaction, each with the same ``values``."""
    try:
        with store.engine.begin() as connection:
            for statement in statements:
                connection.execute(statement, values)
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"The audit log cannot be changed: {type(error).__name__}.") from error


def _batches(items: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(items), 500):
        yield items[start : start + 500]


def _now() -> str:
    return stamp(datetime.now(UTC))
