"""The audit tables. The chain covers the text in ``entry``; the columns beside it are there to be searched, and
``verify`` checks that they say what the entry says."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from gateway.storage.tables import METADATA

# Searched by; "" where an entry has none, NULL in entries that were written before these columns were there.
SEARCHED = (
    "surface", "key_id", "team", "user_name", "app", "job", "model", "prompt", "policy", "action", "outcome", "rules",
)  # fmt: skip
_COLUMN_LIMIT = 200  # characters; an index entry of PostgreSQL holds 2,704 bytes

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
    *(sa.Column(name, sa.Text, nullable=True) for name in SEARCHED),
)


def _partial(name: str, condition: str, *columns: str) -> sa.Index:
    """An index over the rows that have something to be found; the others cost nothing when they are written."""
    where = sa.text(condition)
    return sa.Index(name, *(ENTRIES.c[column] for column in columns), sqlite_where=where, postgresql_where=where)


INDEXES = (
    _partial("ix_audit_entries_user_name", "user_name <> ''", "user_name", "time"),
    _partial("ix_audit_entries_team", "team <> ''", "team", "time"),
    _partial("ix_audit_entries_key_id", "key_id <> ''", "key_id", "time"),
    _partial("ix_audit_entries_job", "job <> ''", "job", "time"),
    _partial("ix_audit_entries_action", "action <> ''", "action", "time"),
    _partial("ix_audit_entries_outcome", "outcome <> '' AND outcome <> 'ok'", "outcome", "time"),
    _partial("ix_audit_entries_rules", "rules <> ''", "time"),
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
SEALS = sa.Table(
    "audit_seals",
    METADATA,
    sa.Column("writer", sa.String(64), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("until", sa.String(32), nullable=False),
    sa.Column("sealed_at", sa.String(32), nullable=False),
    sa.Column("signature", sa.String(128), nullable=False),
    comment="entries up to this one were removed by retention; the next entry follows this hash",
)
HOLDS = sa.Table(
    "audit_holds",
    METADATA,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("tenant", sa.String(100), nullable=False),
    sa.Column("first_day", sa.String(10), nullable=False),
    sa.Column("last_day", sa.String(10), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", sa.String(32), nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("released_at", sa.String(32), nullable=True),
    comment="legal holds: what retention may not touch",
)


def searched(kind: str, data: dict[str, Any]) -> tuple[str, ...]:
    """What the searched columns of an entry hold, in the order of ``SEARCHED``: a pure function of the entry."""
    if kind == "intent":
        get = data.get
        found = (
            get("surface"), get("key_id"), get("team"), get("user"), get("app"), get("job"), get("model"),
            get("prompt"), get("policy"), get("action"), "", "",
        )  # fmt: skip
        return tuple(map(_text, found))
    if kind in ("outcome", "attempt"):
        model = _text(data.get("upstream_model" if kind == "outcome" else "model"))
        outcome = _text(data.get("outcome"))
        return ("", "", "", "", "", "", model, "", "", "", outcome, _rules(data.get("decisions")))
    return ("", "", "", "", "", "", "", "", "", _text(data.get("action")) or f"audit.{kind}", "", "")


def _text(value: Any) -> str:
    """A column's text: no longer than an index takes, and without the one character PostgreSQL has no place for."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text[:_COLUMN_LIMIT].replace("\x00", "�")


def _rules(decisions: Any) -> str:
    """``,rule,rule,``: each guardrail rule that decided something, once, so that one can be found by its name."""
    if not isinstance(decisions, list) or not decisions:
        return ""
    names = sorted({str(d.get("rule")) for d in decisions if isinstance(d, dict)})
    return f",{','.join(names)},".replace("\x00", "�")
