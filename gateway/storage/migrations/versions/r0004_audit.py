"""The audit log's tables, with columns to search by, seals and legal holds.

Earlier versions made the first three tables themselves, without Alembic: those are adopted, and the columns of their
entries filled from the entries. Entries are never changed otherwise: the chains verify before and after, both ways.
"""

from __future__ import annotations

from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SEARCHED = (
    "surface", "key_id", "team", "user_name", "app", "job", "model", "prompt", "policy", "action", "outcome", "rules",
)  # fmt: skip
INDEXES = {
    "ix_audit_entries_user_name": (["user_name", "time"], "user_name <> ''"),
    "ix_audit_entries_team": (["team", "time"], "team <> ''"),
    "ix_audit_entries_key_id": (["key_id", "time"], "key_id <> ''"),
    "ix_audit_entries_job": (["job", "time"], "job <> ''"),
    "ix_audit_entries_action": (["action", "time"], "action <> ''"),
    "ix_audit_entries_outcome": (["outcome", "time"], "outcome <> '' AND outcome <> 'ok'"),
    "ix_audit_entries_rules": (["time"], "rules <> ''"),
}
BATCH = 2000


def upgrade() -> None:
    existing = set(sa.inspect(op.get_bind()).get_table_names())
    if "audit_entries" not in existing:
        _create_entries()
    if "audit_keys" not in existing:
        _create_keys()
    if "audit_checkpoints" not in existing:
        _create_checkpoints()
    for name in SEARCHED:  # one by one: SQLite then only changes its catalogue, and copies no rows
        op.add_column("audit_entries", sa.Column(name, sa.Text, nullable=True))
    _fill(op.get_bind())
    for name, (columns, condition) in INDEXES.items():
        where = sa.text(condition)
        op.create_index(name, "audit_entries", columns, sqlite_where=where, postgresql_where=where)
    _create_seals_and_holds()


def downgrade() -> None:
    """Back to the tables of earlier versions, with all their entries. Those of the newer tables are given up."""
    op.drop_table("audit_holds")
    op.drop_table("audit_seals")
    for name in INDEXES:
        op.drop_index(name, "audit_entries")
    for name in SEARCHED:
        op.execute(sa.text(f"ALTER TABLE audit_entries DROP COLUMN {name}"))  # not by copying: entries may be many


def _create_entries() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("writer", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("request_id", sa.String(80), nullable=False),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("writer", "seq", name="pk_audit_entries"),
    )
    op.create_index("ix_audit_entries_request_id", "audit_entries", ["request_id"])
    op.create_index("ix_audit_entries_time", "audit_entries", ["time"])


def _create_keys() -> None:
    op.create_table(
        "audit_keys",
        sa.Column("id", sa.String(160), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit_keys"),
        comment="one data key per tenant and day; a null wrapped key is erased for good",
    )
    op.create_index("ix_audit_keys_day", "audit_keys", ["day"])


def _create_checkpoints() -> None:
    op.create_table(
        "audit_checkpoints",
        sa.Column("writer", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("writer", "seq", name="pk_audit_checkpoints"),
    )


def _create_seals_and_holds() -> None:
    op.create_table(
        "audit_seals",
        sa.Column("writer", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("until", sa.String(32), nullable=False),
        sa.Column("sealed_at", sa.String(32), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("writer", "seq", name="pk_audit_seals"),
        comment="entries up to this one were removed by retention; the next entry follows this hash",
    )
    op.create_table(
        "audit_holds",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("tenant", sa.String(100), nullable=False),
        sa.Column("first_day", sa.String(10), nullable=False),
        sa.Column("last_day", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("released_at", sa.String(32), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit_holds"),
        comment="legal holds: what retention may not touch",
    )


def _fill(connection: sa.Connection) -> None:
    """Fill the columns of the entries that are there, chain by chain, a batch at a time."""
    entries = sa.table("audit_entries", *map(sa.column, ("writer", "seq", "kind", "entry", *SEARCHED)))
    page = (
        sa.select(entries.c.writer, entries.c.seq, entries.c.kind, entries.c.entry)
        .where(sa.tuple_(entries.c.writer, entries.c.seq) > sa.tuple_(sa.bindparam("w"), sa.bindparam("s")))
        .order_by(entries.c.writer, entries.c.seq)
        .limit(BATCH)
    )
    change = sa.update(entries).where(
        entries.c.writer == sa.bindparam("_writer"), entries.c.seq == sa.bindparam("_seq")
    )
    at = ("", 0)
    while rows := connection.execute(page, {"w": at[0], "s": at[1]}).all():
        values = [{"_writer": r.writer, "_seq": r.seq, **_columns(r.kind, r.entry)} for r in rows]
        connection.execute(change.values({name: sa.bindparam(name) for name in SEARCHED}), values)
        at = (rows[-1].writer, rows[-1].seq)


def _columns(kind: str, entry: str) -> dict[str, str]:
    """As ``gateway.audit.tables.searched`` at the time of this step; an entry that cannot be read has empty columns."""
    try:
        parsed = orjson.loads(entry)
    except orjson.JSONDecodeError:
        parsed = {}
    found = parsed.get("data") if isinstance(parsed, dict) else None
    data: dict[str, Any] = found if isinstance(found, dict) else {}
    filled = dict.fromkeys(SEARCHED, "")
    if kind == "intent":
        names = {name: "user" if name == "user_name" else name for name in SEARCHED[:10]}
        return filled | {column: _text(data.get(name)) for column, name in names.items()}
    if kind == "outcome":
        decisions = data.get("decisions") or []
        rules = sorted({str(d.get("rule")) for d in decisions if isinstance(d, dict)})
        return filled | {
            "model": _text(data.get("upstream_model")),
            "outcome": _text(data.get("outcome")),
            "rules": f",{','.join(rules)}," if decisions else "",
        }
    if kind == "attempt":
        return filled | {"model": _text(data.get("model"))}
    return filled | {"action": _text(data.get("action")) or f"audit.{kind}"}


def _text(value: Any) -> str:
    return ("" if value is None else str(value))[:200].replace("\x00", "�")
